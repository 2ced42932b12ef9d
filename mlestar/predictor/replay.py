"""Predicting by replay: the winner's script executes again, with new rows in place of the test rows."""

import asyncio
import logging
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation.blending.scales import RANKED
from mlestar.evaluation.holdout.stage import manifest
from mlestar.evaluation.submission_file import write_submission
from mlestar.evaluation.uncertainty.record import Uncertainty, UncertaintyKind
from mlestar.events import Event
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.coverage import check_coverage, limits_of, submission_with_coverage, with_coverage
from mlestar.predictor.frames import NoteCallback, RowSpec
from mlestar.predictor.given import read_given
from mlestar.predictor.new_rows import NewRows, check_replaceable, put_new, read_new_rows
from mlestar.predictor.predictions import Predictions
from mlestar.predictor.row_spec import labels_of, row_spec
from mlestar.report import Result, read_result
from mlestar.runners import Runner
from mlestar.runners.choose import BUILT_IN
from mlestar.runtime.context import RunContext, close_context, load_task, open_context
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.grading import describe_failure
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.interrupt import run_cancellable
from mlestar.runtime.options import RunOptions
from mlestar.settings import EXPORT_STRETCH, PACKAGE_POLICIES, Settings
from mlestar.store import RunFolder
from mlestar.store.content import describe_changes, load_contents, read_contents

logger = logging.getLogger("mlestar.predictor")

FilesFolder = str | Path | None
"""The folder or archive of the files that rows of a table have."""
_HOURS = 24.0
"""Longest time of one replay, in hours; the time limit of a script ends it earlier. Chosen by judgement; not
measured."""
_BUDGET: dict[str, Any] = {"max_hours": _HOURS, "max_usd": None, "max_tokens": None, "max_executions": None}
_NO_MODEL: dict[str, Any] = {
    "model": "offline",
    "models": {},
    "review": (),
    "cards": (),
    "prompts": None,
    "fallback": (),
}


@dataclass(frozen=True)
class ReplayPredictor:
    """Predicts by executing the winner's script again, unchanged; each call trains again."""

    folder: RunFolder
    result: Result
    settings: Settings
    """Settings of the run, with the runner that executed its scripts."""
    task: Task
    """The task as the run understood it."""
    runner: Runner | None = None
    """A runner that the caller passed and closes."""
    on_note: NoteCallback | None = None

    @cached_property
    def rows(self) -> RowSpec:
        """What a frame of new rows must hold."""
        return row_spec(self.task)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a frame must have."""
        return self.rows.names

    @property
    def blends_ranks(self) -> bool:
        """Whether the script submits ranks among the rows of a call, as blends do for metrics of the order only."""
        winner = self.result.winner_row
        if winner is None or not winner.members or self.task.spec.prediction_kind == "label":
            return False
        return self.result.metric.partition("@")[0] in RANKED

    def predict(self, frame: Any, files: FilesFolder = None) -> pd.DataFrame:
        """Return labels or values for new rows; the blocking variant of `apredict`."""
        return run_cancellable(lambda: self.apredict(frame, files))

    def predict_proba(self, frame: Any, files: FilesFolder = None) -> pd.DataFrame:
        """Return probabilities for new rows; the blocking variant of `apredict_proba`."""
        return run_cancellable(lambda: self.apredict_proba(frame, files))

    def predict_submission(self, frame: Any, coverage: float | None = None, files: FilesFolder = None) -> pd.DataFrame:
        """Return what the script submits for new rows; the blocking variant of `apredict_submission`."""
        return run_cancellable(lambda: self.apredict_submission(frame, coverage, files))

    def predict_interval(self, frame: Any, coverage: float = 0.8, files: FilesFolder = None) -> pd.DataFrame:
        """Return values with intervals for new rows; the blocking variant of `apredict_interval`."""
        return run_cancellable(lambda: self.apredict_interval(frame, coverage, files))

    def predict_set(self, frame: Any, coverage: float = 0.95, files: FilesFolder = None) -> pd.DataFrame:
        """Return labels with sets of classes for new rows; the blocking variant of `apredict_set`."""
        return run_cancellable(lambda: self.apredict_set(frame, coverage, files))

    async def apredict(self, frame: Any, files: FilesFolder = None) -> pd.DataFrame:
        """Return labels or values: the rows in their order, a column for each target.

        Where the submissions of the metric hold probabilities, the label is the most probable one.

        Args:
            frame: new rows: a frame, arrays by name or one array, or the path of a table, an array file, a folder or an
                archive.
            files: the folder, or an archive, of the files that rows of a table have.

        Raises:
            UserError: the frame does not suit the task, or its data have changed.
            OperatorError: scripts cannot be executed here.
        """
        self._refuse_ranks()
        return (await self._replayed(frame, files)).labels_or_values()

    async def apredict_proba(self, frame: Any, files: FilesFolder = None) -> pd.DataFrame:
        """Return probabilities: the rows of the frame in their order, a column for each class.

        Raises:
            UserError: as `apredict`, and where the metric's submissions hold no probabilities.
            OperatorError: scripts cannot be executed here.
        """
        Predictions.check_probabilities(self.task.spec)
        self._refuse_ranks()
        return (await self._replayed(frame, files)).probabilities()

    async def apredict_interval(self, frame: Any, coverage: float = 0.8, files: FilesFolder = None) -> pd.DataFrame:
        """Return values with the columns `lower` and `upper`, which should enclose the truth for this share of rows.

        With several targets the names are those of the target with `_lower` and `_upper`.

        Raises:
            UserError: as `apredict`, and where the run has no intervals of this coverage.
            OperatorError: scripts cannot be executed here.
        """
        return await self._replayed_with_coverage(frame, files, coverage, "interval")

    async def apredict_set(self, frame: Any, coverage: float = 0.95, files: FilesFolder = None) -> pd.DataFrame:
        """Return labels with the column `set`: a tuple of classes with the true one for this share of rows.

        With several targets the names are those of the target with `_set`.

        Raises:
            UserError: as `apredict`, and where the run has no sets of this coverage.
            OperatorError: scripts cannot be executed here.
        """
        return await self._replayed_with_coverage(frame, files, coverage, "set")

    async def apredict_submission(
        self, frame: Any, coverage: float | None = None, files: FilesFolder = None
    ) -> pd.DataFrame:
        """Return what the script submits for the rows of a frame, as text: the id if the frame has it, and predictions.

        Args:
            frame: as of `apredict`.
            coverage: if given, the columns of `apredict_interval` or `apredict_set` are added; sets are JSON lists.
            files: as of `apredict`.

        Raises:
            UserError: as `apredict`, and where the run has no intervals or sets of this coverage.
            OperatorError: scripts cannot be executed here.
        """
        if self.blends_ranks:
            self._note("the winner blends ranks: its predictions only order the rows of this call")
        if coverage is None:
            return (await self._replayed(frame, files)).submission
        uncertainty = self._known_uncertainty(coverage)
        return submission_with_coverage(await self._replayed(frame, files), uncertainty, coverage)

    def describe(self) -> dict[str, Any]:
        """Return what predicts, and for which task, as values of JSON."""
        return {
            "kind": "replay",
            "run": self.result.run_id,
            "winner": self.result.winner,
            "runner": self.settings.runner,
            "image": self.settings.image,
            "spec": self.task.spec.model_dump(mode="json"),
            "rows": self.rows.model_dump(mode="json"),
            "score": self.result.score.model_dump(mode="json"),
        }

    async def _replayed_with_coverage(
        self, frame: Any, files: FilesFolder, coverage: float, kind: UncertaintyKind
    ) -> pd.DataFrame:
        uncertainty = self._known_uncertainty(coverage, kind)
        return with_coverage(await self._replayed(frame, files), uncertainty, coverage)

    def _known_uncertainty(self, coverage: float, kind: UncertaintyKind | None = None) -> Uncertainty:
        """Return how sure predictions are, after telling what is known against the stated coverage."""
        uncertainty = check_coverage(self.result.uncertainty, coverage, f"run {self.result.run_id}", kind)
        for line in limits_of(uncertainty):
            self._note(line)
        return uncertainty

    async def _replayed(self, frame: Any, files: FilesFolder) -> Predictions:
        with tempfile.TemporaryDirectory(prefix="mlestar-rows-") as scratch:
            new = await asyncio.to_thread(self._read, frame, files, Path(scratch))
            await asyncio.to_thread(self._check_unchanged)
            text, task = await self._replay(new)
        labels = await asyncio.to_thread(labels_of, task)
        return await asyncio.to_thread(_read_predictions, task, labels, text, new.cells, frame)

    def _read(self, frame: Any, files: FilesFolder, scratch: Path) -> NewRows:
        given = read_given(frame, files, self.task.test.name, scratch)
        return read_new_rows(self.task, self.rows, given, self._note)

    async def _replay(self, new: NewRows) -> tuple[str, Task]:
        """Return the submission for the rows, and the task of these rows."""
        # In the folder of the run folders, as a container engine may not have access to the folder for temporary files.
        parent = self.folder.path.parent
        try:
            scratch = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix=".predict-", dir=parent)
        except OSError as error:
            msg = f"cannot write to {parent}: {error.strerror}"
            raise UserError(msg) from error
        try:
            settings = self.settings.change({"runs_dir": Path(scratch.name)})
            options: RunOptions = {"on_event": self._show, "runner": self.runner}
            ctx = await open_context(settings, "replay", self.task.folder, options, self.task)
            try:
                return await self._execute(ctx, new)
            finally:
                await close_context(ctx)
        finally:
            await asyncio.to_thread(scratch.cleanup)

    def _check_unchanged(self) -> None:
        check_data(self.folder, Path(self.task.folder), self.settings)

    async def _execute(self, ctx: RunContext, new: NewRows) -> tuple[str, Task]:
        staged, path = await self._submit(ctx, new)
        if problem := await ctx.grading.check(staged, path):
            msg = f"what {self._source} of run {self.result.run_id} wrote for the new rows is not valid: {problem}"
            raise UserError(msg)
        return await asyncio.to_thread(write_submission, staged.task, path), staged.task

    @property
    def _source(self) -> str:
        """The name, in messages, of what writes predictions."""
        return "the script"

    async def _submit(self, ctx: RunContext, new: NewRows) -> tuple[StagedInput, Path]:
        """Return the staged input with the new rows, and the submission for them, which is not checked yet."""
        real = await ctx.inputs.real()
        task = await asyncio.to_thread(put_new, self.task, self.rows, real.path, new)
        content = await asyncio.to_thread(manifest, real.path)
        # With few rows, correct predictions may be equal to those of the sample.
        staged = StagedInput(real.name, real.path, content, task, accepts_sample=True)
        code = await asyncio.to_thread(Path(self.result.solution or "").read_text, encoding="utf-8")
        script = await ctx.services.keep(code)
        label = f"{self.result.winner}-predict"
        execution = await ctx.executor.execute(script, staged, stretch=EXPORT_STRETCH, stage="export", label=label)
        submission = execution.files.get(SUBMISSION)
        if execution.status != "ok" or submission is None:
            stderr = await ctx.services.text(execution.stderr)
            reason = describe_failure(execution, stderr) if execution.status != "ok" else f"it wrote no {SUBMISSION}"
            msg = f"the script of run {self.result.run_id} failed on the new rows: {execution.detail or reason}"
            raise UserError(msg)
        logger.info("%s: %d rows in %.1f s", label, len(new.cells), execution.seconds)
        return staged, await asyncio.to_thread(ctx.services.blobs.verified, submission)

    def _refuse_ranks(self) -> None:
        if self.blends_ranks:
            msg = f"the winner of run {self.result.run_id} is a blend of ranks, which are no probabilities, labels or "
            msg += "values: predict_submission and `mlestar predict` return the order of the rows"
            raise UserError(msg)

    def _note(self, line: str) -> None:
        logger.info("%s", line)
        if self.on_note is not None:
            self.on_note(line)

    def _show(self, event: Event) -> None:
        self._note(event.message)


def _read_predictions(task: Task, labels: tuple[str, ...], text: str, cells: pd.DataFrame, frame: Any) -> Predictions:
    """Return the predictions in a submission, with the ids of the rows, or those of lines where a row has several."""
    if task.layout.submission_lines(None) is None:
        return Predictions.read(task.spec, labels, text, cells, frame)
    table = Predictions.table(task.spec, text)
    return Predictions.of_table(task.spec, labels, table, table, None)


def open_replay(
    run: str | Path,
    *,
    task: Task | None = None,
    runner: str | Runner | None = None,
    on_note: NoteCallback | None = None,
) -> ReplayPredictor:
    """Return a predictor that executes the winner of a run again.

    Args:
        run: the run folder.
        task: required if the run was started from a `Task` with its own metric.
        runner: name of a runner, or a runner, in place of the one that executed the scripts of the run.
        on_note: receives lines about what is left out and about slow preparations.

    Raises:
        UserError: there is no such run, it has no solution, its data are missing or have changed, or a row of the task
            consists of more than one row of a table.
    """
    path = Path(run).expanduser().absolute()
    folder = RunFolder.at(path)
    recorded = folder.read_settings()
    result = read_result(folder)
    if result.winner is None or result.solution is None:
        msg = f"run {folder.run_id} has no solution to predict with: its status is {result.status.replace('_', ' ')}"
        raise UserError(msg)
    settings = replay_settings(Settings.resolve(recorded.settings), result, runner)
    task_folder = Path(recorded.task)
    check_data(folder, task_folder, settings)
    task = task or load_task(task_folder, settings)
    spec = _spec_of_run(folder, result, task)
    check_replaceable(task)
    own = runner if runner is not None and not isinstance(runner, str) else None
    return ReplayPredictor(folder, result, settings, replace(task, spec=spec), own, on_note)


def replay_settings(settings: Settings, result: Result, runner: str | Runner | None = None) -> Settings:
    """Return the settings of a run for executing its script again, without caps, models and questions.

    Raises:
        UserError: the run had a runner of the caller's, which is not given.
    """
    name = settings.runner if runner is None or not isinstance(runner, str) else runner
    if name == "auto":
        # `auto` is not resolved again: it may trust the model that is set now, and another model wrote this script.
        name = result.runner or "docker"
    if (runner is None or isinstance(runner, str)) and name not in BUILT_IN and ":" not in name:
        msg = f"run {result.run_id} had a runner of yours, {name!r}: give it again, or --runner docker"
        raise UserError(msg)
    chosen = name if name in BUILT_IN or ":" in name else "docker"
    # What the script declares was allowed by a person in the run.
    allowed = {option: "auto" for option in ("packages", "weights") if getattr(settings, option) == "ask"}
    return settings.change({**_BUDGET, **_NO_MODEL, **allowed, "runner": chosen})


def check_data(folder: RunFolder, task: Path, settings: Settings) -> None:
    """Refuse to predict when the data of the run are gone or have changed.

    Raises:
        UserError: with the files that differ.
    """
    if not task.is_dir():
        msg = f"the task folder of run {folder.run_id} is gone, and predicting needs it: {task}"
        raise UserError(msg)
    before = load_contents(folder.contents)
    if before is None:
        return
    weights = [path.expanduser() for path in settings.weights_folder if path.expanduser().exists()]
    after = read_contents(task, weights, before)
    aside = _read_by_agents(folder)
    before = {name: content for name, content in before.items() if name in after or name.split("/")[0] not in aside}
    if changes := describe_changes(before, after):
        msg = f"the data of run {folder.run_id} have changed, and predicting needs those of the run: {changes}"
        raise UserError(msg)


def _read_by_agents(folder: RunFolder) -> set[str]:
    """Return the names of files outside of the task that no script reads."""
    settings = Settings.resolve(folder.read_settings().settings)
    packages = () if settings.packages in PACKAGE_POLICIES else (Path(settings.packages),)
    paths = (*settings.cards, *packages, *([settings.prompts] if settings.prompts else []))
    return {path.name for path in paths}


def _spec_of_run(folder: RunFolder, result: Result, task: Task) -> TaskSpec:
    """Return the spec that the script was written for.

    Raises:
        UserError: the run did not keep it, and today's reading of the data is another.
    """
    if result.spec is not None:
        return result.spec
    if (task.spec.metric, task.spec.name) != (result.metric, result.task):
        msg = f"run {folder.run_id} was made by a version that did not keep the spec of its task: solve the task again"
        raise UserError(msg)
    return task.spec
