"""Executing the two functions of a packaged script in the sandbox, each with what it may see."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from mlestar.data.layouts import TaskFile
from mlestar.data.layouts.arrays import Arrays
from mlestar.data.layouts.file_rows import FileRows
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation.holdout.stage import manifest
from mlestar.predictor.asset_names import test_assets, train_assets
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.new_arrays import array_files
from mlestar.predictor.new_rows import NewRows, put_new
from mlestar.predictor.package import DATA, MODEL
from mlestar.runtime.context import RunContext
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.grading import describe_failure
from mlestar.runtime.inputs import StagedInput
from mlestar.settings import EXPORT_STRETCH
from mlestar.state import ExecutionRecord

MAX_MODEL_MB = 1000
"""Largest file that `fit` may save. Chosen by judgement; not measured."""
TRAIN_ROWS = "rows"
"""The folder of a model in which `fit` keeps files of train rows, where `predict` needs them."""
_MAX_ASSETS = 20_000
"""Files of train rows that a package may hold. Chosen by judgement; not measured."""
_CALL = "\n\nif __name__ == '__main__':\n    import pathlib as _pathlib\n    {call}\n"
_FIT = "fit(_pathlib.Path('input'), _pathlib.Path('model'))"
_PREDICT = "predict(_pathlib.Path('input/model'), _pathlib.Path('input/data'), _pathlib.Path('submission.csv'))"


class PackagingError(Exception):
    """A packaged predictor is not accepted; the message says why."""


@dataclass(frozen=True)
class Fitted:
    """What `fit` made of an input."""

    script: str
    model: Path
    """Folder of its files."""
    execution: ExecutionRecord


class ModelInput(StagedInput):
    """An input whose script may write models, which are larger than submissions."""

    def excess(self, size: int) -> str:
        """Return why an output of so many bytes is refused."""
        return f"it has more than {MAX_MODEL_MB} MB" if size > MAX_MODEL_MB * 1_000_000 else ""


async def fit(ctx: RunContext, script: str, staged: StagedInput, folder: Path, label: str) -> Fitted:
    """Execute `fit` on an input and put what it saved into a folder.

    Raises:
        PackagingError: it failed or saved nothing.
    """
    source = ModelInput(staged.name, staged.path, staged.manifest, staged.task, staged.grader)
    blob = await ctx.services.keep(script + _CALL.format(call=_FIT))
    patterns = tuple(f"{MODEL}/{'*/' * depth}*.*" for depth in range(3))
    execution = await ctx.executor.execute(
        blob, source, outputs=patterns, stretch=EXPORT_STRETCH, stage="export", label=f"{label}-fit"
    )
    await _check(ctx, execution, "fit")
    if execution.detail:
        raise PackagingError(execution.detail)
    if odd := [name for name in execution.files if not name.isprintable()]:
        msg = f"`fit` saved a file whose name cannot be printed: {odd[0]!r}"
        raise PackagingError(msg)
    if not execution.files:
        msg = "`fit` saved nothing in the folder `model`"
        raise PackagingError(msg)
    await asyncio.to_thread(_place_files, ctx, execution, folder)
    if (folder / TRAIN_ROWS).is_dir():
        await asyncio.to_thread(_add_assets, staged, folder / TRAIN_ROWS)
    return Fitted(script, folder, execution)


async def predict(
    ctx: RunContext, script: str, model: Path, data: Path, task: Task, label: str
) -> tuple[Path, ExecutionRecord]:
    """Execute `predict` with nothing but a model and data; return its submission.

    Args:
        ctx: of a run.
        script: defines it.
        model: what `fit` saved.
        data: the rows to predict and side files.
        task: of these rows.
        label: names the execution.

    Raises:
        PackagingError: it failed or wrote no submission.
    """
    path = data.parent
    await asyncio.to_thread(shutil.copytree, model, path / MODEL)
    content = await asyncio.to_thread(manifest, path)
    staged = StagedInput("packaged", path, content, task, accepts_sample=True)
    blob = await ctx.services.keep(script + _CALL.format(call=_PREDICT))
    execution = await ctx.executor.execute(blob, staged, stretch=EXPORT_STRETCH, stage="export", label=label)
    await _check(ctx, execution, "predict")
    if SUBMISSION not in execution.files:
        msg = "`predict` wrote no submission"
        raise PackagingError(msg)
    return await asyncio.to_thread(ctx.services.blobs.verified, execution.files[SUBMISSION]), execution


async def put_new_rows(task: Task, spec: RowSpec, real: Path, side: Path, folder: Path, new: NewRows) -> Task:
    """Write the data of a prediction: side files, new rows and a sample submission for them; return their task.

    Args:
        task: of the run.
        spec: what the rows hold.
        real: the staged input, which has the form of the test file and of the sample.
        side: the other files; it may have these two as well.
        folder: to write; `data` is made in it.
        new: the rows.
    """

    def write() -> Task:
        data = folder / DATA
        shutil.copytree(side, data)
        for name in _files_with_rows(task):
            if (real / name).is_file() and not (data / name).exists():
                (data / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(real / name, data / name)
        return put_new(task, spec, data, new)

    return await asyncio.to_thread(write)


def copy_side_files(staged: StagedInput, folder: Path, *, with_rows: bool = False) -> None:
    """Copy the files of an input that `predict` may see.

    Args:
        staged: the input.
        folder: to make.
        with_rows: also the rows to predict with their files, and the sample submission.
    """
    task, real = staged.task, staged.path
    left_out = {task.train.name, *train_files(task), *assets_of(staged)}
    rows = {*_files_with_rows(task), *test_assets(task)}
    below = f"{task.test.name}/" if isinstance(task.layout, FileRows) else ""
    folder.mkdir(parents=True)
    for path in sorted(real.rglob("*")):
        name = path.relative_to(real).as_posix()
        is_row = name in rows or bool(below and name.startswith(below))
        if path.is_dir() or (name in left_out and not is_row) or (is_row and not with_rows):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)


def _files_with_rows(task: Task) -> list[str]:
    """Return the file of the rows to predict and the sample submission."""
    layout = task.layout
    test = array_files(layout) if isinstance(layout, Arrays) else [task.test.name]
    return list(dict.fromkeys([*test, *([task.sample.name] if task.sample is not None else [])]))


def train_files(task: Task) -> set[str]:
    """Return the files that hold train rows or their labels.

    Raises:
        UserError: the rows to predict are in one of them.
    """
    layout = task.layout
    if isinstance(layout, Arrays):
        arrays = (*layout.roles.train, *layout.roles.labels)
        files = {array.file for array in arrays} | ({layout.label_table} if layout.label_table else set())
    else:
        labels = getattr(layout, "labels", None)
        files = {task.train.name} | ({labels.name} if isinstance(labels, TaskFile) else set())
    if files & set(_files_with_rows(task)):
        msg = "train rows and rows to predict are in one file, which `predict` must not see"
        raise UserError(msg)
    return files


async def _check(ctx: RunContext, execution: ExecutionRecord, function: str) -> None:
    if execution.status != "ok":
        reason = execution.detail or describe_failure(execution, await ctx.services.text(execution.stderr))
        msg = f"`{function}` failed: {reason}"
        raise PackagingError(msg)


def _add_assets(staged: StagedInput, folder: Path) -> None:
    """Copy the files of train rows, which `predict` reads again where it computes features of new rows from them.

    Raises:
        PackagingError: they are too large or too many.
    """
    names = sorted(name for name in assets_of(staged) if (staged.path / name).is_file())
    size = sum((staged.path / name).stat().st_size for name in names)
    if size > MAX_MODEL_MB * 1_000_000 or len(names) > _MAX_ASSETS:
        msg = f"the model needs the {len(names):,} files of train rows ({size / 1e6:.0f} MB): more than a package may "
        msg += f"hold ({_MAX_ASSETS:,} files, {MAX_MODEL_MB} MB)"
        raise PackagingError(msg)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged.path / name, folder / name)
        (folder / name).chmod(0o644)


def assets_of(staged: StagedInput) -> set[str]:
    """Return the files of the train rows of an input."""
    return train_assets(staged.task, None if staged.grader is None else staged.grader.holdout.train)


def _place_files(ctx: RunContext, execution: ExecutionRecord, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, blob in execution.files.items():
        path = folder / Path(name).relative_to(MODEL)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ctx.services.blobs.verified(blob), path)
        path.chmod(0o644)
