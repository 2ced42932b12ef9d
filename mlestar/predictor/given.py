"""What a caller gives as new rows: a frame, arrays, or the path of a table, an array file, a folder or an archive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mlestar.data.folder import list_files
from mlestar.data.formats.archives import archive_stem, unpack
from mlestar.data.tables import is_table, read_table
from mlestar.errors import UserError
from mlestar.predictor.cells import ROLE


@dataclass(frozen=True)
class GivenFiles:
    """Files of new rows."""

    called: str
    """What messages call their folder or archive."""
    paths: Mapping[str, Path] = field(repr=False)
    """Where each is, by its name below the folder; archives in it are unpacked."""


@dataclass(frozen=True)
class GivenRows:
    """New rows, in one or several of the forms in which a task may keep rows."""

    frame: Any = None
    files: GivenFiles | None = None
    arrays: Mapping[str, np.ndarray] | None = None
    """By their names."""


def read_given(rows: Any, files: str | Path | None, test: str, scratch: Path) -> GivenRows:
    """Return what a caller gave.

    Args:
        rows: a pandas or polars frame, an array or arrays by name, or a path.
        files: a folder or an archive of the files of the rows.
        test: name of the file that has the rows to predict in the task; a folder with such a table has rows in it.
        scratch: archives are unpacked in it.

    Raises:
        UserError: a path does not exist, or what is there cannot be read.
    """
    given = None if files is None else _read_files(Path(files), scratch / "files")
    if isinstance(rows, np.ndarray):
        return GivenRows(arrays={"": rows}, files=given)
    if isinstance(rows, Mapping):
        return GivenRows(arrays={str(name): np.asarray(array) for name, array in rows.items()}, files=given)
    if not isinstance(rows, str | Path):
        return GivenRows(frame=rows, files=given)
    path = Path(rows).expanduser()
    if not path.exists():
        msg = f"no such file: {path}"
        raise UserError(msg)
    if path.is_file() and is_table(path):
        return GivenRows(frame=read_table(path).frame, files=given)
    if given is not None:
        msg = f"{path} has files itself: give either a folder, or a table and the folder of its files"
        raise UserError(msg)
    if path.is_file() and archive_stem(path.name) is None:
        return GivenRows(files=GivenFiles(str(path.parent), {path.name: path}))
    return _with_table(_read_files(path, scratch / "rows"), test)


def _with_table(files: GivenFiles, test: str) -> GivenRows:
    """Take the table of a folder, named like that of the test rows, for the rows."""
    names = [name for name in files.paths if name == test or PurePosixPath(name).name == PurePosixPath(test).name]
    if not (names and is_table(files.paths[names[0]])):
        return GivenRows(files=files)
    if len(names) > 1:
        msg = f"{files.called} has several tables of rows: {', '.join(map(repr, names[:3]))}: give one of them"
        raise UserError(msg)
    rest = {name: path for name, path in files.paths.items() if name != names[0]}
    return GivenRows(frame=read_table(files.paths[names[0]]).frame, files=GivenFiles(files.called, rest))


def _read_files(path: Path, scratch: Path) -> GivenFiles:
    path = path.expanduser()
    if path.is_dir():
        found = {name: path / name for name in list_files(path, f"the folder {path}")}
    elif path.is_file() and archive_stem(path.name) is not None:
        found = {path.name: path}
    else:
        msg = f"{path} is no folder and no archive" if path.exists() else f"no such folder: {path}"
        raise UserError(msg)
    paths: dict[str, Path] = {}
    for number, (name, place) in enumerate(found.items()):
        if archive_stem(name) is None:
            paths[name] = place
            continue
        target, above = scratch / str(number), PurePosixPath(name).parent
        target.mkdir(parents=True)
        members, _ = unpack(place, target, lambda member: False)
        paths |= {(above / member).as_posix(): target / member for member in members}
    if not paths:
        msg = f"{ROLE}: {path} has no files"
        raise UserError(msg)
    return GivenFiles(str(path), paths)
