"""Packaging: the winner's script is split into `fit` and `predict`, and accepted only if it predicts the same."""

import asyncio
import logging
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.agents.context import ReplyError
from mlestar.agents.packager import package_script
from mlestar.data.task import Task
from mlestar.errors import HoldoutError, UserError
from mlestar.evaluation.holdout.holdout import example_rows
from mlestar.evaluation.holdout.stage import manifest
from mlestar.evaluation.predictions import SubmissionError
from mlestar.events import Event
from mlestar.files import sha256_of
from mlestar.predictor.compared import compare, read_predictions
from mlestar.predictor.frames import NoteCallback
from mlestar.predictor.known_rows import known_rows
from mlestar.predictor.package import (
    ASSET,
    DATA,
    INFO,
    MODEL,
    PACKAGE_FORMAT,
    SCRIPT,
    Check,
    PackageInfo,
    as_asset,
    describe_file,
    package_folder,
    read_package,
)
from mlestar.predictor.packaged_scripts import (
    TRAIN_ROWS,
    Fitted,
    PackagingError,
    assets_of,
    copy_side_files,
    fit,
    predict,
    put_new_rows,
    train_files,
)
from mlestar.predictor.replay import ReplayPredictor, check_data, open_replay
from mlestar.predictor.sums import sums_of
from mlestar.runners import Runner
from mlestar.runtime.brief import draft_brief
from mlestar.runtime.context import RunContext, close_context, open_context
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.interrupt import run_cancellable
from mlestar.runtime.options import RunOptions
from mlestar.settings import EXPORT_STRETCH, Settings
from mlestar.state import Brief
from mlestar.store import RunFolder

logger = logging.getLogger("mlestar.predictor")

_FEW_ROWS = 20
"""Rows that are predicted in another order."""
_FARTHER = 1.25
"""How much farther from the submission than the script itself predictions may be, where the script itself predicts rows
differently when it has other rows or ids: which of the few rows differ is chance. Chosen by judgement; not measured."""
_ATTEMPTS = 2
"""Times the packager is asked; the second time it is told why its first answer was not accepted."""


@dataclass
class _Packaging:
    """A winner while it is packaged."""

    ctx: RunContext
    replay: ReplayPredictor
    brief: Brief
    source: str
    scratch: Path
    refusals: int
    """Times the run was packaged before without success."""
    checks: list[Check] = field(default_factory=list)
    count: int = 0

    @property
    def label(self) -> str:
        return f"{self.replay.result.winner}-package"

    def new_folder(self) -> Path:
        self.count += 1
        folder = self.scratch / f"step{self.count}"
        folder.mkdir(parents=True)
        return folder

    def add(self, check: Check) -> None:
        self.checks.append(check)
        if not check.passed:
            raise PackagingError(check.detail)

    async def accept(self, script: str) -> PackageInfo:
        """Fit, predict and compare; return the description of what is accepted, whose files are in `scratch`.

        Raises:
            PackagingError: something differs or fails.
        """
        real = await self.ctx.inputs.real(self.brief)
        fitted = await fit(self.ctx, script, real, self.new_folder() / MODEL, self.label)
        seconds = await self._check_test_rows(fitted, real)
        await self._check_single_rows(fitted, real)
        await self._check_withheld(script)
        return await asyncio.to_thread(self._keep, fitted, real, seconds)

    async def _predict_staged(self, fitted: Fitted, staged: StagedInput, name: str) -> tuple[pd.DataFrame, float]:
        """Return the predictions for the rows of a staged input as they are in its files."""
        folder = self.new_folder()
        await asyncio.to_thread(copy_side_files, staged, folder / DATA, with_rows=True)
        path, execution = await predict(
            self.ctx, fitted.script, fitted.model, folder / DATA, staged.task, f"{self.label}-{name}"
        )
        return await self._read(staged, path), execution.seconds

    async def _read(self, staged: StagedInput, path: Path) -> pd.DataFrame:
        form = replace(staged.form, may_equal_sample=True)
        try:
            return await asyncio.to_thread(read_predictions, form, path)
        except SubmissionError as error:
            msg = f"`predict` wrote a submission that is not valid: {error}"
            raise PackagingError(msg) from error

    async def _check_test_rows(self, fitted: Fitted, real: StagedInput) -> float:
        found, seconds = await self._predict_staged(fitted, real, "test")
        submission = self.replay.result.submission
        # Without a test file nothing is submitted, and train rows without their target stand for it.
        self.expected = await (
            self._read(real, Path(submission)) if submission else self._predict_with_winner(real, "winner")
        )
        name = "test rows" if self.brief.spec.has_test else "train rows in place of a test"
        self.add(compare(name, self.brief.spec, self.expected, found))
        return seconds

    async def _check_single_rows(self, fitted: Fitted, real: StagedInput) -> None:
        """Predict one row alone, a few in another order, and more rows than the test has, with ids of their own."""
        total = len(self.expected)
        rng = np.random.default_rng(0)
        few = rng.permutation(total)[: min(_FEW_ROWS, total)]
        chosen = {"one row alone": few[:1], "a few rows in another order": few}
        if self.replay.rows.free_id:
            chosen["more rows than the test has"] = rng.integers(0, total, total + total // 2 + 1)
        side = self.new_folder() / "side"
        await asyncio.to_thread(copy_side_files, real, side)
        for name, places in chosen.items():
            found = await self._predict_rows(fitted, real, side, places)
            expected = self.expected.iloc[places].reset_index(drop=True)
            check = compare(name, self.brief.spec, expected, found)
            if not check.passed:
                check = await self._compare_with_replay(check, real, places, found)
            self.add(check)

    async def _compare_with_replay(
        self, check: Check, real: StagedInput, places: np.ndarray, found: pd.DataFrame
    ) -> Check:
        """Return a check that passes if the script itself is as far from its submission when it has these rows."""
        replayed = await self._replay_rows(real, places)
        expected = self.expected.iloc[places].reset_index(drop=True)
        own = compare(check.name, self.brief.spec, expected, replayed)
        again = compare(check.name, self.brief.spec, replayed, found)
        if not own.passed and (again.passed or check.difference <= _FARTHER * own.difference):
            renamed = len(set(places.tolist())) < len(places)
            rows = "these rows with other ids" if renamed else "only these rows"
            detail = f"the script itself differs by {own.difference:.3g} when it has {rows}"
            return check.model_copy(update={"passed": True, "depends": not renamed, "detail": detail})
        reason = f"{check.detail}: a row's prediction depends on the rows beside it, or on its place"
        return check.model_copy(update={"detail": reason})

    async def _predict_rows(self, fitted: Fitted, real: StagedInput, side: Path, places: np.ndarray) -> pd.DataFrame:
        folder = self.new_folder()
        new = await self._put_rows(folder, real, side, places)
        label = f"{self.label}-rows{len(places)}"
        path, _ = await predict(self.ctx, fitted.script, fitted.model, folder / "input" / DATA, new, label)
        return await self._read(replace(real, task=new, accepts_sample=True), path)

    async def _replay_rows(self, real: StagedInput, places: np.ndarray) -> pd.DataFrame:
        folder = self.new_folder()
        new = await self._put_rows(folder, real, real.path, places)
        data = folder / "input" / DATA
        content = await asyncio.to_thread(manifest, data)
        staged = replace(real, path=data, manifest=content, task=new, accepts_sample=True)
        return await self._predict_with_winner(staged, f"replay{len(places)}")

    @property
    def _task(self) -> Task:
        return replace(self.replay.task, spec=self.brief.spec)

    async def _put_rows(self, folder: Path, real: StagedInput, side: Path, places: np.ndarray) -> Task:
        """Write an input of other files and chosen test rows, and return its task."""
        spec, task = self.replay.rows, self._task
        known = task.test.rows if task.spec.has_test else task.train.rows.iloc[example_rows(task)]
        rows = known.iloc[places].reset_index(drop=True)
        if spec.id is not None and spec.free_id and len(set(places.tolist())) < len(places):
            # Rows that occur twice need ids of their own.
            rows = rows.drop(columns=spec.id.name)
        rows = rows.drop(columns=list(spec.counters), errors="ignore")
        (folder / "input").mkdir()
        new = await asyncio.to_thread(known_rows, task, real.path, rows, places)
        return await put_new_rows(task, spec, real.path, side, folder / "input", new)

    async def _check_withheld(self, script: str) -> None:
        """Compare the predictions for withheld rows with those of the winner."""
        if self.brief.split is None:
            return
        try:
            search = await self.ctx.inputs.search(self.brief)
        except HoldoutError as error:
            logger.info("packaging: no withheld rows: %s", error)
            return
        expected = await self._predict_with_winner(search, "winner")
        fitted = await fit(self.ctx, script, search, self.new_folder() / MODEL, f"{self.label}-withheld")
        found, _ = await self._predict_staged(fitted, search, "withheld")
        self.add(compare("withheld rows", self.brief.spec, expected, found))

    async def _predict_with_winner(self, staged: StagedInput, name: str) -> pd.DataFrame:
        """Return the winner's predictions for the rows of an input, from the ledger where it has them.

        Raises:
            PackagingError: the winner fails.
        """
        blob = await self.ctx.services.keep(self.source)
        label = f"{self.label}-{name}"
        winner = await self.ctx.executor.execute(blob, staged, stretch=EXPORT_STRETCH, stage="export", label=label)
        if winner.status != "ok" or SUBMISSION not in winner.files:
            msg = f"the winner itself fails on other rows: {winner.detail or winner.status}"
            raise PackagingError(msg)
        path = await asyncio.to_thread(self.ctx.services.blobs.verified, winner.files[SUBMISSION])
        return await self._read(staged, path)

    def _keep(self, fitted: Fitted, real: StagedInput, seconds: float) -> PackageInfo:
        """Lay out the folder `predictor` in `scratch`, and return what describes it."""
        folder = self.scratch / "accepted"
        folder.mkdir()
        (folder / SCRIPT).write_text(fitted.script, encoding="utf-8")
        shutil.copytree(fitted.model, folder / MODEL)
        copy_side_files(real, folder / DATA)
        names = sorted(path for path in (folder / MODEL).rglob("*") if path.is_file())
        files = tuple(describe_file(path, path.relative_to(folder / MODEL).as_posix()) for path in names)
        hashes = {sha256_of(real.path / name) for name in train_files(self.replay.task) if (real.path / name).is_file()}
        assets = {f"{TRAIN_ROWS}/{name}" for name in assets_of(real)}
        files = tuple(as_asset(file) if file.name in assets else file for file in files)
        train = [file.name for file in files if file.sha256 in hashes]
        train += sorted({f"{file.name.rsplit('/', 1)[0]}/" for file in files if file.format == ASSET})
        data = sorted(path.relative_to(folder / DATA).as_posix() for path in (folder / DATA).rglob("*"))
        return self.describe(
            accepted=True,
            train_files=tuple(train),
            sums=sums_of(folder),
            data_files=tuple(name for name in data if (folder / DATA / name).is_file()),
            files=files,
            safe=all(file.safe for file in files),
            lock=fitted.execution.lock,
            fit_seconds=fitted.execution.seconds,
            predict_seconds=seconds,
        )

    def describe(self, **values: Any) -> PackageInfo:
        task, result, brief = self.replay.task, self.replay.result, self.brief
        return PackageInfo(
            format=PACKAGE_FORMAT,
            run=result.run_id,
            solution=result.winner or "",
            solution_sha256=result.solution_sha256 or "",
            made_by=self.ctx.settings.models.get("packager", self.ctx.settings.model) or "",
            spec=brief.spec,
            rows=self.replay.rows,
            test_file=task.test.name,
            delimiter=task.test.delimiter or ",",
            python=brief.python,
            packages=brief.distributions or brief.packages,
            image=brief.image,
            runner=result.runner,
            checks=tuple(self.checks),
            **{"refusals": self.refusals, **values},
        )


async def apackage(
    run: str | Path,
    *,
    model: str | None = None,
    max_usd: float | None = None,
    runner: str | Runner | None = None,
    task: Task | None = None,
    on_note: NoteCallback | None = None,
) -> PackageInfo:
    """Package the winner of a run into its folder `predictor`, and return what was accepted or why nothing was.

    Args:
        run: the run folder.
        model: answers as the packager, in place of the model of the run.
        max_usd: what the calls of a model may cost; the run's own cap counts as before.
        runner: in place of the one that executed the scripts of the run: its name, or a runner.
        task: needed again when the run was started from a `Task` with a metric of its own.
        on_note: receives lines of progress.

    Raises:
        UserError: there is no such run, or its rows are no rows of one table.
        OperatorError: scripts cannot be executed here, or a model cannot be reached.
    """
    replay = await asyncio.to_thread(_open, run, task, runner, on_note)
    settings = _settings(replay, model, max_usd)

    def show(event: Event) -> None:
        if on_note is not None:
            on_note(event.message)

    options: RunOptions = {"on_event": show, "runner": replay.runner}
    ctx = await open_context(settings, replay.folder.run_id, replay.task.folder, options, replay.task)
    try:
        # Beside what scripts read: a container engine may not reach the folder for temporary files.
        scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".package-", dir=ctx.folder.path))
        await asyncio.to_thread(scratch.chmod, 0o755)
        try:
            source = await asyncio.to_thread(Path(replay.result.solution or "").read_text, encoding="utf-8")
            brief = await draft_brief(ctx, replay.task, replay.result.split)
            former = await asyncio.to_thread(read_package, replay.folder.path)
            refusals = former.refusals if former is not None else 0
            packaging = _Packaging(ctx, replay, brief, source, scratch, refusals)
            info = await _package(packaging, show)
            await asyncio.to_thread(_install, replay.folder, scratch / "accepted", info)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
    finally:
        await close_context(ctx)
    return info


def package(run: str | Path, **options: Any) -> PackageInfo:
    """Package the winner of a run; the blocking variant of `apackage`, with its options."""
    return run_cancellable(lambda: apackage(run, **options))


def _open(
    run: str | Path, task: Task | None, runner: str | Runner | None, on_note: NoteCallback | None
) -> ReplayPredictor:
    replay = open_replay(run, task=task, runner=runner, on_note=on_note)
    check_data(replay.folder, Path(replay.task.folder), replay.settings)
    train_files(replay.task)
    return replay


def _settings(replay: ReplayPredictor, model: str | None, max_usd: float | None) -> Settings:
    """Return the settings of the run, with the caps of packaging in place of its own."""
    own = Settings.resolve(replay.folder.read_settings().settings)
    chosen = {"model": model, "models": {}} if model is not None else {"model": own.model, "models": own.models}
    if not chosen["model"]:
        chosen["model"] = replay.folder.read_settings().model or "offline"
    spent = replay.result.spend.usd or 0.0
    cap = own.max_usd if max_usd is None else spent + max_usd
    return replay.settings.change({**chosen, "fallback": own.fallback, "max_usd": cap})


async def _package(packaging: _Packaging, show: Any) -> PackageInfo:
    """Ask the packager, and ask again with the reason where its answer was not accepted."""
    if packaging.replay.blends_ranks:
        reason = "the winner blends ranks: its predictions order the rows among each other"
        return packaging.describe(accepted=False, reason=reason)
    if packaging.replay.task.layout.submission_lines(None) is not None:
        reason = "a submission has several lines for each row, and only single predictions of rows are compared"
        return packaging.describe(accepted=False, reason=reason)
    show(Event(stage="package", message="splitting the script; `fit` and `predict` then execute several times"))
    refusals = packaging.refusals
    agent, failure, former = packaging.ctx.services.agent(packaging.brief, refusals, "export"), "", ""
    for _ in range(_ATTEMPTS):
        try:
            code = await package_script(agent, packaging.source, failure)
            if code == former:
                break
            packaging.checks.clear()
            former = code
            return await packaging.accept(code)
        except (PackagingError, ReplyError) as error:
            failure = str(error)
            show(Event(stage="package", message=f"not accepted: {failure}"))
    return packaging.describe(accepted=False, reason=failure, refusals=refusals + 1)


def _install(run: RunFolder, accepted: Path, info: PackageInfo) -> None:
    """Put what was accepted, or why nothing was, in the place of an earlier attempt."""
    folder = package_folder(run.path)
    if not info.accepted:
        shutil.rmtree(accepted, ignore_errors=True)
        accepted.mkdir(parents=True)
    (accepted / INFO).write_text(info.model_dump_json(indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    accepted.rename(folder)


def check_solution(replay: ReplayPredictor, info: PackageInfo) -> None:
    """Refuse a predictor of another winner.

    Raises:
        UserError: the run has another winner now.
    """
    if info.solution_sha256 != (replay.result.solution_sha256 or ""):
        msg = f"run {replay.result.run_id} has another winner than its packaged predictor: run `mlestar package` again"
        raise UserError(msg)
