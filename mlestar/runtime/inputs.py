"""The input folders of a run: the holdout that the search uses, the fresh ones, and the real input."""

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation import Grader, Holdout, fresh_holdouts, search_holdout, stage
from mlestar.evaluation.grader import has_portable_metric, real_form
from mlestar.evaluation.submission import MAX_BYTES, SubmissionForm, describe_excess
from mlestar.state import Brief
from mlestar.store import RunFolder


@dataclass(frozen=True)
class StagedInput:
    """An input folder that scripts read."""

    name: str
    """`holdout`, `fresh1`, ..., or `real`."""
    path: Path
    manifest: str
    """Hash of what the folder holds."""
    task: Task
    grader: Grader | None = None
    """Grades submissions for the withheld rows; None for the real input."""

    @cached_property
    def form(self) -> SubmissionForm:
        """What a submission for its rows must look like.

        Raises:
            HoldoutError: no table has the rows to predict.
        """
        return real_form(self.task) if self.grader is None else self.grader.form

    @property
    def is_portable(self) -> bool:
        """Whether another process can compute the metric."""
        return has_portable_metric(self.task)

    def excess(self, size: int) -> str:
        """Return why a submission of so many bytes is refused unread; empty when it is not."""
        try:
            allowed, rows = self.form.max_bytes, self.form.rows
        except HoldoutError:
            allowed, rows = MAX_BYTES, self.task.spec.test_rows
        return describe_excess(size, allowed, rows) if size > allowed else ""


class StagedInputs:
    """Stages each input of a run on first use; no script works on a person's own files."""

    def __init__(
        self, folder: RunFolder, load: Callable[[], Task], task: Task | None = None, *, resamples: int
    ) -> None:
        """Describe the inputs.

        Args:
            folder: of the run.
            load: reads the task on first use.
            task: a loaded task, which is used instead.
            resamples: of the bootstrap behind standard errors, at most.
        """
        self._folder = folder
        self._load = load
        self._task = task
        self._resamples = resamples
        self._loading = asyncio.Lock()
        self._staging = asyncio.Lock()
        self._staged: dict[str, StagedInput] = {}
        self._holdout: Holdout | None = None

    async def task(self, brief: Brief | None = None) -> Task:
        """Return the task, with the brief's spec when one is given."""
        async with self._loading:
            if self._task is None:
                self._task = await asyncio.to_thread(self._load)
        return dataclasses.replace(self._task, spec=brief.spec) if brief else self._task

    async def search(self, brief: Brief) -> StagedInput:
        """Return the input of the search: the holdout's, or the real one when there is no holdout."""
        if brief.split is None:
            return await self.real(brief)
        task = await self.task(brief)
        if self._holdout is None:
            self._holdout = await asyncio.to_thread(search_holdout, task, brief.split, seed=brief.seed)
        return await self._stage(task, self._holdout)

    async def fresh(self, brief: Brief, count: int) -> list[StagedInput]:
        """Return up to `count` inputs whose withheld rows the search never scored."""
        if brief.split is None or count == 0:
            return []
        task = await self.task(brief)
        holdouts = await asyncio.to_thread(fresh_holdouts, task, brief.split, seed=brief.seed, count=count)
        return [await self._stage(task, holdout) for holdout in holdouts]

    async def real(self, brief: Brief | None = None) -> StagedInput:
        """Return a copy of the task's own input."""
        return await self._stage(await self.task(brief), None)

    async def _stage(self, task: Task, holdout: Holdout | None) -> StagedInput:
        name = holdout.name if holdout else "real"
        async with self._staging:
            if name not in self._staged:
                path = self._folder.inputs / name / "input"
                manifest = await asyncio.to_thread(stage, task, holdout, path, link=True)
                grader = None if holdout is None else Grader(task, holdout, self._resamples)
                self._staged[name] = StagedInput(name, path, manifest, task, grader)
            return self._staged[name]
