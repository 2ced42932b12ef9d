"""Predicting with a packaged predictor: `predict` of its script executes in the sandbox; no model is trained."""

import asyncio
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.predictor.frames import NoteCallback
from mlestar.predictor.new_rows import NewRows
from mlestar.predictor.package import (
    DATA,
    MODEL,
    SCRIPT,
    PackageInfo,
    check_has_sums,
    check_package,
    package_folder,
    read_package,
)
from mlestar.predictor.packaged_scripts import PackagingError, predict, put_new_rows
from mlestar.predictor.packaging import check_solution
from mlestar.predictor.replay import ReplayPredictor, open_replay
from mlestar.runners import Runner
from mlestar.runtime.context import RunContext
from mlestar.runtime.inputs import StagedInput

How = Literal["auto", "packaged", "replay"]


@dataclass(frozen=True, kw_only=True)
class PackagedPredictor(ReplayPredictor):
    """Predicts with the model that `fit` saved; frames are checked as for a replay, and predictions are the same."""

    info: PackageInfo

    def describe(self) -> dict[str, Any]:
        """Return what predicts, and for which task, as values of JSON."""
        return {**super().describe(), "kind": "packaged", "package": self.info.model_dump(mode="json")}

    @property
    def _source(self) -> str:
        return "the packaged predictor"

    def _check_unchanged(self) -> None:
        check_package(self.folder.path, self.info)

    async def _submit(self, ctx: RunContext, new: NewRows) -> tuple[StagedInput, Path]:
        if self.info.depends:
            self._note("the prediction of a row depends on the other rows of the call: predict many rows together")
        real, package = await ctx.inputs.real(), package_folder(self.folder.path)
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="rows-", dir=ctx.folder.path))
        await asyncio.to_thread(folder.chmod, 0o755)
        task = await put_new_rows(self.task, self.rows, real.path, package / DATA, folder, new)
        script = await asyncio.to_thread((package / SCRIPT).read_text, encoding="utf-8")
        label = f"{self.result.winner}-packaged"
        try:
            path, _ = await predict(ctx, script, package / MODEL, folder / DATA, task, label)
        except PackagingError as error:
            msg = (
                f"the packaged predictor of run {self.result.run_id}: {error}; `mlestar predict --replay` trains again"
            )
            raise UserError(msg) from error
        return StagedInput("packaged", folder, "", task, accepts_sample=True), path


def open_predictor(
    run: str | Path,
    *,
    how: How = "auto",
    task: Task | None = None,
    runner: str | Runner | None = None,
    on_note: NoteCallback | None = None,
) -> ReplayPredictor:
    """Return the packaged predictor of a run where one was accepted, and otherwise one that replays its winner.

    Args:
        run: the run folder.
        how: `packaged` refuses a run without an accepted packaged predictor; `replay` does not use one; `auto` uses it
            if there is one.
        task: required if the run was started from a `Task` with its own metric.
        runner: name of a runner, or a runner, in place of the one that executed the scripts of the run.
        on_note: receives lines about which way is used, what is left out, and slow preparations.

    Raises:
        UserError: as `open_replay`, and if `how` is `packaged` and no packaged predictor was accepted.
    """
    replay = open_replay(run, task=task, runner=runner, on_note=on_note)
    if how == "replay":
        return replay
    info = read_package(replay.folder.path)
    if info is not None and info.accepted:
        check_solution(replay, info)
        check_has_sums(replay.folder.path, info)
        values = {entry.name: getattr(replay, entry.name) for entry in fields(replay)}
        return PackagedPredictor(**values, info=info)
    reason = "no packaged predictor" if info is None else f"no packaged predictor was accepted ({info.reason})"
    if how == "packaged":
        msg = f"run {replay.result.run_id}: {reason}; `mlestar package {replay.folder.arguments}` makes one"
        raise UserError(msg)
    if info is not None and on_note is not None:
        on_note(f"{reason}: the winner's script executes again")
    return replay
