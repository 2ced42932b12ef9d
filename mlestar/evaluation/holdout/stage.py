"""Filling the folder that becomes `./input` of a holdout."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mlestar.data.tables.writer import write_cells, write_rows
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.auxiliary import refuse_telling_paths, safe_rows
from mlestar.evaluation.holdout.holdout import Holdout, held_ids


def stage(task: Task, holdout: Holdout | None, folder: Path, *, link: bool = False) -> str:
    """Fill `folder` as the input of a holdout and return its `manifest`; a folder that is intact is left alone.

    Args:
        task: a task whose labels lie in a table.
        holdout: the rows to withhold; None stages the real input as it is.
        folder: the folder to create; a note of its manifest is kept beside it.
        link: hard-link untouched files. Only for runners that mount the folder read-only: a write through a link would
            change the task's own data.

    Raises:
        HoldoutError: a file tells about held-out rows in a way that cannot be taken out.
    """
    note = folder.with_name(f"{folder.name}.sha256")
    if note.is_file() and folder.is_dir() and manifest(folder) == note.read_text():
        return note.read_text()
    if holdout is not None:
        refuse_telling_paths(task)
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _fill(task, holdout, partial, avoid=folder, link=link)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    note.write_text(manifest(folder))
    return note.read_text()


def manifest(folder: Path) -> str:
    """Return the sha256 of the names and contents of a folder's files; hidden files do not count."""
    digest = hashlib.sha256()
    for name, path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def staged_sample(task: Task, holdout: Holdout) -> pd.DataFrame | None:
    """Return the sample submission of a holdout: held-out ids, and the commonest predictions of the real sample."""
    spec = task.spec
    if spec.sample_submission is None:
        return None
    real = task.table(spec.sample_submission).frame
    columns = [column for column in real.columns if column != spec.id]
    constant = dict(zip(columns, real[columns].value_counts().index[0], strict=True))
    cells = pd.DataFrame(constant, index=range(len(holdout.held)))
    ids = held_ids(task, holdout)
    if ids is not None and spec.id in real.columns:
        cells[spec.id] = ids
    return cells.reindex(columns=real.columns)


def _fill(task: Task, holdout: Holdout | None, folder: Path, *, avoid: Path, link: bool) -> None:
    own = [] if holdout is None else _stage_own(task, holdout, folder)
    for name, path in _files(task.input, avoid=avoid.resolve()):
        if not path.resolve().is_relative_to(task.folder.resolve()):
            msg = f"{name} is a link to something outside the task folder: copy it in"
            raise HoldoutError(msg)
        if name in own:
            continue
        target = _place(folder, name)
        filtered = None if holdout is None else safe_rows(task, holdout.train, path)
        if filtered is not None:
            filtered[0].write(target, filtered[1])
        elif link and _linked(path.resolve(), target):
            continue
        else:
            shutil.copyfile(path, target)
        # Read-only, so that a script which writes into ./input fails on it in every runner.
        target.chmod(0o444)
    for name in own:
        (folder / name).chmod(0o444)


def _linked(source: Path, target: Path) -> bool:
    """Give a file a second name, where both places lie on one disk that has such names."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            return False
        raise
    return True


def _stage_own(task: Task, holdout: Holdout, folder: Path) -> list[str]:
    """Write train, test and sample submission; return their names."""
    spec = task.spec
    train, test = task.table(spec.train), task.table(spec.test)
    train.write(_place(folder, spec.train), holdout.train)
    place, ids = _place(folder, spec.test), held_ids(task, holdout)
    if spec.id is not None and ids is not None and spec.id not in train.columns:
        cells = train.frame.iloc[holdout.held].reset_index(drop=True).assign(**{spec.id: ids})
        write_cells(cells.reindex(columns=list(test.columns), fill_value=""), test, place)
    else:
        write_rows(train, holdout.held, test, place)
    sample = staged_sample(task, holdout)
    if sample is None or spec.sample_submission is None:
        return [spec.train, spec.test]
    write_cells(sample, task.table(spec.sample_submission), _place(folder, spec.sample_submission))
    return [spec.train, spec.test, spec.sample_submission]


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _files(folder: Path, avoid: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Yield (relative name, path) of every file in order; hidden ones and folders that hold `avoid` are left out."""
    root, seen = folder.resolve(), set[Path]()
    for place, folders, names in os.walk(root, followlinks=True):
        here = Path(place)
        seen.add(here.resolve())
        # A link may lead back to a folder that is being walked.
        folders[:] = [
            name for name in sorted(folders) if _is_open(here / name, avoid) and (here / name).resolve() not in seen
        ]
        for name in sorted(names):
            path = here / name
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(root).as_posix(), path


def _is_open(folder: Path, avoid: Path | None) -> bool:
    hidden = folder.name.startswith(".") or folder.name == "__pycache__"
    return not hidden and not (avoid and avoid.is_relative_to(folder))
