"""The input folders of a run: the holdout that the search uses, the fresh ones, and the real input."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation import Division, Grader, Holdout, SplitPlan, Store, divide_rows, fresh_holdouts, stage
from mlestar.evaluation.grader import has_portable_metric, real_form
from mlestar.evaluation.importance.planning import PermutationPlan
from mlestar.evaluation.importance.staging import stage_permuted
from mlestar.evaluation.submission import MAX_BYTES, SubmissionForm, describe_excess
from mlestar.state import Brief
from mlestar.store import RunFolder, key_of

TOKEN_LENGTH = 16
"""Characters of the name of an input's folder."""


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
    blind: bool = False
    """The search has none of the withheld rows in its input."""
    accepts_sample: bool = False
    """A copy of the sample submission is valid for its rows."""

    @cached_property
    def form(self) -> SubmissionForm:
        """What a submission for its rows must look like.

        Raises:
            HoldoutError: no table has the rows to predict.
        """
        if self.grader is None:
            return replace(real_form(self.task), may_equal_sample=self.accepts_sample)
        return self.grader.form

    @property
    def is_portable(self) -> bool:
        """Whether another process can compute the metric."""
        return has_portable_metric(self.task)

    def accepting_sample(self) -> "StagedInput":
        """Return the input with a form that accepts a copy of the sample submission, which often is a constant."""
        grader = None if self.grader is None else replace(self.grader, accepts_sample=True)
        return replace(self, grader=grader, accepts_sample=True)

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
        self,
        folder: RunFolder,
        load: Callable[[], Task],
        task: Task | None = None,
        *,
        resamples: int,
        link_above_mb: int = 2000,
    ) -> None:
        """Describe the inputs.

        Args:
            folder: of the run.
            load: reads the task on first use.
            task: a loaded task, which is used instead.
            resamples: of the bootstrap behind standard errors, at most.
            link_above_mb: MB that one input may take up with copies of its own.
        """
        self._folder = folder
        self._load = load
        self._task = task
        self._resamples = resamples
        self._store = Store(folder.inputs / "shared", link_above_mb * 1_000_000)
        self._loading = asyncio.Lock()
        self._staging = asyncio.Lock()
        self._staged: dict[str, StagedInput] = {}
        self._dividing = asyncio.Lock()
        self._divisions: dict[tuple[SplitPlan, int, float], Division] = {}
        self._fresh: dict[tuple[SplitPlan, int, int], tuple[Holdout, ...]] = {}
        """For the fresh scores of each finalist, drawn once."""

    async def task(self, brief: Brief | None = None) -> Task:
        """Return the task, with the brief's spec when one is given."""
        async with self._loading:
            if self._task is None:
                self._task = await asyncio.to_thread(self._load)
        return replace(self._task, spec=brief.spec) if brief else self._task

    async def search(self, brief: Brief) -> StagedInput:
        """Return the input of the search: the holdout's, or the real one when there is no holdout."""
        if brief.split is None:
            return await self.real(brief)
        division = await self.divide(brief.split, brief.seed, brief.fresh_share)
        return await self._stage(await self.task(brief), division.search)

    async def fresh(self, brief: Brief, count: int) -> list[StagedInput]:
        """Return the input whose withheld rows are kept apart; without such rows those of up to `count` further splits.

        The search has scored none of the withheld rows.
        """
        if brief.split is None:
            return []
        division, task = await self.divide(brief.split, brief.seed, brief.fresh_share), await self.task(brief)
        holdouts: tuple[Holdout, ...] = (division.apart,) if division.apart else ()
        if not holdouts and count:
            holdouts = await self._fresh_splits(brief.split, brief.seed, count)
        inputs = [await self._stage(task, holdout) for holdout in holdouts]
        return [replace(one, blind=rows.unseen_in(division.search)) for one, rows in zip(inputs, holdouts, strict=True)]

    async def divide(self, split: SplitPlan, seed: int, share: float) -> Division:
        """Return which rows the search withholds and which it never has.

        They follow from the task as it was read, whatever the analyst made of its spec.

        Raises:
            HoldoutError: no rows can be withheld under this plan.
        """
        task = await self.task()
        async with self._dividing:
            key = split, seed, share
            if key not in self._divisions:
                self._divisions[key] = await asyncio.to_thread(divide_rows, task, split, seed=seed, fresh_share=share)
            return self._divisions[key]

    async def _fresh_splits(self, split: SplitPlan, seed: int, count: int) -> tuple[Holdout, ...]:
        """Return holdouts for the fresh scores of a task whose rows are too few to keep some apart.

        They follow from the same task as the search's, so that the rows are disjoint.
        """
        task = await self.task()
        async with self._dividing:
            key = split, seed, count
            if key not in self._fresh:
                self._fresh[key] = await asyncio.to_thread(fresh_holdouts, task, split, seed=seed, count=count)
            return self._fresh[key]

    async def real(self, brief: Brief | None = None) -> StagedInput:
        """Return a copy of the task's own input."""
        return await self._stage(await self.task(brief), None)

    async def permuted(self, base: StagedInput, plan: PermutationPlan) -> StagedInput:
        """Return the input for measuring the importance of columns, made of the rows of another one.

        Raises:
            NotMeasuredError: its test file cannot be written.
        """
        task, name = base.task, plan.holdout.name
        async with self._staging:
            path = await asyncio.to_thread(self._path, name)
            content = await asyncio.to_thread(stage_permuted, task, plan, path, store=self._store)
        return StagedInput(name, path, content, task, Grader(task, plan.holdout, self._resamples))

    def warnings(self) -> tuple[str, ...]:
        """Return what makes scores less certain: files that scripts with different labels had in common."""
        shared = self._store.shared()
        if not shared:
            return ()
        files = "1 file" if shared == 1 else f"{shared} files"
        reason = f"the inputs of search, rescoring and export share {files}, because of link_above_mb"
        return (f"{reason}: scripts could have exchanged labels through them",)

    async def _stage(self, task: Task, holdout: Holdout | None) -> StagedInput:
        name = holdout.name if holdout else "real"
        async with self._staging:
            if name not in self._staged:
                path = await asyncio.to_thread(self._path, name)
                manifest = await asyncio.to_thread(stage, task, holdout, path, store=self._store)
                self._staged[name] = StagedInput(name, path, manifest, task)
            staged = self._staged[name]
            if staged.task.spec != task.spec or (holdout is not None and staged.grader is None):
                # The analyst may amend the metric after the input was staged.
                grader = None if holdout is None else Grader(task, holdout, self._resamples)
                staged = replace(staged, task=task, grader=grader)
                self._staged[name] = staged
            return staged

    def _path(self, name: str) -> Path:
        """Return the folder of an input: a name that scripts see, and cannot read, the same in every session."""
        # Folders that are named after their input, and whose files are the task's own, are those of older versions.
        shutil.rmtree(self._folder.inputs / name, ignore_errors=True)
        token = key_of("input", self._folder.read_settings().thread, name)[:TOKEN_LENGTH]
        return self._folder.inputs / token / "input"
