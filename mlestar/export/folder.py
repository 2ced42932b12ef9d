"""Writing a self-contained folder with the packaged predictor of a run."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlestar import __version__
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.export.alone.model import DESCRIPTION, Description
from mlestar.export.alone.sums import SUMS
from mlestar.export.card import model_card, readme, render
from mlestar.export.files_of_task import row_files
from mlestar.export.lock import CONSTRAINTS, lock
from mlestar.export.mlmodel import mlmodel
from mlestar.export.neutral import without_cells, without_paths
from mlestar.export.saved import copy_predictor, is_missing, read_saved
from mlestar.export.sources import PACKAGE, package_sources
from mlestar.files import sha256_of
from mlestar.predictor import ReplayPredictor, open_replay, package
from mlestar.predictor.frames import NoteCallback
from mlestar.predictor.new_rows import has_files
from mlestar.predictor.outputs import check_place
from mlestar.predictor.package import FOLDER, INFO, SCRIPT, PackageInfo, package_folder
from mlestar.predictor.row_spec import labels_of
from mlestar.predictor.sums import sums_of
from mlestar.runners import Runner

_PYTHON = re.compile(r"3\.\d+")
_IMAGE_PYTHON = "3.11"
"""The Python of the sandbox image."""
_PLAIN = re.compile(r"[^a-z0-9]+")
UNRECORDED = (SUMS, "MLmodel")
"""MLflow writes into its own file when a model is registered."""


def export_run(
    run: str | Path,
    target: str | Path,
    *,
    task: Task | None = None,
    runner: str | Runner | None = None,
    on_note: NoteCallback | None = None,
) -> Path:
    """Write the packaged predictor of a run as a self-contained folder, and return the folder.

    A run without one is packaged first, in the sandbox. Otherwise nothing executes.

    Args:
        run: the run folder.
        target: a folder that does not exist or is empty.
        task: needed again when the run was started from a `Task` with a metric of its own.
        runner: for packaging, in place of the one that executed the scripts of the run: its name, or a runner.
        on_note: receives lines of progress.

    Raises:
        UserError: the winner cannot be packaged, rows have files, the data are gone, or the target cannot be written.
        OperatorError: scripts cannot be executed here.
    """
    path = Path(target).expanduser().absolute()
    source = Path(run).expanduser().absolute()
    replay = open_replay(source, task=task, runner="docker")  # which executes nothing here
    _check_target(path, source, replay.task)
    _check_rows(replay)
    if is_missing(source, replay.result):
        package(source, task=task, runner=runner, on_note=on_note)
    saved = read_saved(source)
    if saved.train_files and on_note is not None:
        files = ", ".join(saved.train_files)
        on_note(f"the exported folder contains train rows ({files}): share it only where these may be shared")
    try:
        with _written_at_once(path) as folder:
            _fill(folder, package_folder(source), saved, replay)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or first_line(str(error))}"
        raise UserError(msg) from error
    return path


def _check_rows(replay: ReplayPredictor) -> None:
    """Refuse a task whose new rows are more than rows of a table, which the service and MLflow could not take."""
    if has_files(replay.task):
        run = replay.folder.arguments
        msg = "rows of this task are or have files, and an exported folder takes rows of a table only: "
        msg += f"`mlestar predict {run} ROWS -o out.csv` predicts new ones"
        raise UserError(msg)


def _check_target(path: Path, run: Path, task: Task) -> None:
    check_place(path, run, task, is_folder=True)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        msg = f"{path} is no folder: choose another place"
        raise UserError(msg)
    if path.is_dir() and any(path.iterdir()):
        msg = f"{path} is not empty: choose a folder that does not exist or is empty"
        raise UserError(msg)
    if not path.parent.is_dir():
        msg = f"no folder for the export: {path.parent}"
        raise UserError(msg)


@contextmanager
def _written_at_once(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill, which is renamed when it is complete and removed on an error."""
    exists = path.is_dir()
    # An empty folder stays the same one: it may be the working folder, or a mounted one.
    part = Path(tempfile.mkdtemp(prefix=".export-", dir=path if exists else path.parent))
    try:
        yield part
        if exists:
            for child in sorted(part.iterdir()):
                child.rename(path / child.name)
            part.rmdir()
        else:
            part.chmod(0o755)
            part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        for child in path.iterdir() if exists else ():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        raise


def _fill(folder: Path, predictor: Path, saved: PackageInfo, replay: ReplayPredictor) -> None:
    rows = without_cells(saved.rows)
    files = row_files(replay.task, saved.rows, replay.folder.path.parent)
    image = f"model-{_PLAIN.sub('-', saved.spec.name.lower())[:40].strip('-') or 'table'}"
    code = (predictor / SCRIPT).read_text(encoding="utf-8")
    also = ("pyarrow",) if files.types or files.sample_types else ()
    packages = lock(code, saved.packages, replay.result.packages, also=also)
    python = found[0] if (found := _PYTHON.match(saved.python)) else _IMAGE_PYTHON
    copy_predictor(predictor, folder / FOLDER, {files.test, *filter(None, [files.sample])})
    # The image may name a registry of its owner, the runner a file of this machine, and the lock is one of the run.
    known: dict[str, Any] = {"rows": rows, "packages": packages.versions, "sums": sums_of(folder / FOLDER)}
    known |= {"made_by": without_paths(saved.made_by), "runner": "", "image": "", "lock": ""}
    _write_json(folder / FOLDER / INFO, saved.model_copy(update=known).model_dump(mode="json"))
    description = Description(
        made_with=__version__,
        spec=saved.spec,
        rows=rows,
        files=files,
        labels=labels_of(replay.task),
        uncertainty=replay.result.uncertainty,
        ranks=replay.blends_ranks,
    )
    _write_json(folder / DESCRIPTION, description.model_dump(mode="json"))
    (folder / PACKAGE).mkdir()
    texts = {f"{PACKAGE}/{name}": text for name, text in package_sources().items()}
    texts |= {
        "requirements.txt": packages.requirements,
        CONSTRAINTS: packages.constraints,
        "Dockerfile": render("Dockerfile", python=python),
        "python_env.yaml": render("python_env.yaml", python=python),
        "MLmodel": mlmodel(saved.spec, rows, python),
        "README.md": readme(replay.result, saved, rows, image),
        "MODEL_CARD.md": model_card(replay.result, replay.settings, saved, rows, packages.needed),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _record(folder)


def _record(folder: Path) -> None:
    """Write the sha256 of every file, and exclude all other files from the image."""
    names = sorted({path.name for path in folder.iterdir()} | {SUMS, ".dockerignore"})
    ignored = "".join(f"!{name}\n" for name in names)
    (folder / ".dockerignore").write_text(f"*\n{ignored}**/__pycache__\n", encoding="utf-8")
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in paths if name not in UNRECORDED]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
