"""Matching new rows with the files that were given for them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd

from mlestar.data.layouts.assets import FileIndex, FileNames
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.predictor.asset_kinds import find_difference, shared_facts
from mlestar.predictor.asset_names import AssetNames
from mlestar.predictor.cells import ROLE
from mlestar.predictor.given import GivenFiles

_GIVEN = "new"
"""The folder that given files are indexed below, so that each is found in the folders above it too."""
_SHOWN = 60


@dataclass(frozen=True)
class NewAsset:
    """A file of a new row."""

    path: Path
    name: str
    """Its path in the input that scripts read."""


@dataclass(frozen=True)
class AssetFolder:
    """The given files that stand for one folder of assets of the task."""

    ways: AssetNames
    root: str
    """The folder of them below `_GIVEN`."""
    files: tuple[str, ...]
    """Those in it."""

    def below(self, file: str) -> str:
        return file.removeprefix(f"{self.root}/")


def find_folders(ways: Sequence[AssetNames], given: GivenFiles) -> list[AssetFolder]:
    """Return where the assets of each folder of the task are among the given files.

    The given folder may hold folders named as in the task, or, where rows have one folder of assets, be that folder.

    Raises:
        UserError: a folder is missing.
    """
    files = [f"{_GIVEN}/{name}" for name in given.paths]
    found: list[AssetFolder] = []
    for way in ways:
        root = _find_root(way, files, alone=len({other.names.folder for other in ways}) == 1)
        if root is None:
            msg = f"{ROLE}: {given.called} has no folder {way.names.folder!r}, where rows have files"
            raise UserError(msg)
        found.append(AssetFolder(way, root, tuple(file for file in files if file.startswith(f"{root}/"))))
    return found


def _find_root(way: AssetNames, files: Sequence[str], *, alone: bool) -> str | None:
    parts = PurePosixPath(way.names.folder).parts
    for start in range(len(parts)):
        root = "/".join((_GIVEN, *parts[start:]))
        if any(file.startswith(f"{root}/") for file in files):
            return root
    if not alone:
        return None
    root = _GIVEN
    # An archive often has its files in a folder of its own name.
    while way.is_flat and not any("/" in tail for tail in way.tails) and (child := _only_folder(root, files)):
        root = f"{root}/{child}"
    return root


def _only_folder(root: str, files: Sequence[str]) -> str:
    """Return the folder that holds everything; empty where there is none."""
    parts = {file.removeprefix(f"{root}/").partition("/")[::2] for file in files}
    first = {name for name, _ in parts}
    return first.pop() if len(first) == 1 and all(rest for _, rest in parts) else ""


def list_rows(folder: AssetFolder) -> pd.DataFrame:
    """Return a row for each given file, named as the task names its files.

    Raises:
        UserError: a file is in a folder where those of the task are not, or is of another kind.
    """
    way = folder.ways
    below = [folder.below(file) for file in folder.files]
    for name in below:
        if "/" in name and not way.is_nested:
            msg = f"{ROLE}: {_show(name)} is in a folder of its own, which files of the task are not"
            raise UserError(msg)
        _check_suffix(way, name)
    cells = [way.cell_of(name) for name in below]
    repeated = [cell for cell, count in Counter(cells).items() if count > 1]
    if repeated:
        files = [name for name, cell in zip(below, cells, strict=True) if cell == repeated[0]]
        msg = f"{ROLE}: {_show(files[0])} and {_show(files[1])} have the same id {_show(repeated[0])}"
        raise UserError(msg)
    return pd.DataFrame({way.column: cells}, dtype=object)


def match_assets(
    task: Task, folders: Sequence[AssetFolder], cells: pd.DataFrame, given: GivenFiles
) -> tuple[pd.DataFrame, tuple[NewAsset, ...]]:
    """Return the rows with paths as they are in the input of scripts, and the files of the rows.

    Raises:
        UserError: a row lacks a file, a file belongs to no row or to two, or it is of another kind than those of the
            task; the message names it.
    """
    index = FileIndex([f"{_GIVEN}/{name}" for name in given.paths])
    owners: dict[str, str] = {}
    targets: dict[str, str] = {}
    staged = cells.copy()
    for folder in folders:
        facts = shared_facts([task.input / file for file in folder.ways.reference])
        matched = [_match_row(folder, index, str(cell), facts, given) for cell in cells[folder.ways.column]]
        staged[folder.ways.column] = [cell for cell, _ in matched]
        for cell, files in zip(cells[folder.ways.column], (files for _, files in matched), strict=True):
            for file, target in files.items():
                _check_owner(owners, file, str(cell), folder)
                targets[target] = file
    unused = [file for folder in folders for file in folder.files if file not in owners]
    if unused:
        more = f", and {len(unused) - 1} more files" if len(unused) > 1 else ""
        name = unused[0].removeprefix(f"{_GIVEN}/")
        msg = f"{ROLE}: the file {_show(name)} of {given.called} belongs to no row{more}: add its row, or move it away"
        raise UserError(msg)
    assets = [NewAsset(given.paths[file.removeprefix(f"{_GIVEN}/")], target) for target, file in targets.items()]
    return staged, tuple(assets)


def _check_owner(owners: dict[str, str], file: str, cell: str, folder: AssetFolder) -> None:
    other = owners.setdefault(file, cell)
    if other != cell:
        msg = f"{ROLE}: the rows {_show(other)} and {_show(cell)} have the same file {_show(folder.below(file))}"
        raise UserError(msg)


def _match_row(
    folder: AssetFolder, index: FileIndex, cell: str, facts: dict[str, str], given: GivenFiles
) -> tuple[str, dict[str, str]]:
    """Return the cell of a row as scripts find it, and its files with their names in the input."""
    way, text = folder.ways, cell.strip()
    if not text and way.is_optional:
        return cell, {}
    _check_cell(way, text)
    plain = way.below(text) if way.names.form == "path" else text
    form = "name" if way.names.form == "path" else way.names.form
    files = index.files(FileNames(way.column, folder.root, form), plain)
    parts = {file: way.divide(plain, folder.below(file)) for file in files}
    # A name is also found in the other case and without zeros before its numbers, unless a file has it itself.
    if exact := {file: part for file, part in parts.items() if part.name == plain}:
        parts = exact
    missing = sorted(way.tails - {part.tail for part in parts.values()})
    if (missing and way.names.form == "stem") or not files:
        if not files and way.is_optional:
            return cell, {}
        name = f"{plain}{missing[0] if missing and way.names.form == 'stem' else ''}"
        msg = f"{ROLE}: the row {_show(cell)} in column {way.column!r} has no file {_show(name)} in {given.called}"
        raise UserError(msg)
    targets: dict[str, str] = {}
    for file, part in parts.items():
        _check_suffix(way, folder.below(file))
        if difference := find_difference(given.paths[file.removeprefix(f"{_GIVEN}/")], facts):
            msg = f"{ROLE}: {_show(folder.below(file))} is of another kind than the files of the task: {difference}"
            raise UserError(msg)
        above = "" if way.is_flat else part.above
        name = plain if way.is_exact or way.names.form == "path" else part.name
        targets[file] = f"{way.names.folder}/{above}{name}{part.tail}"
    return (f"{way.names.folder}/{plain}" if way.names.form == "path" else cell), targets


def _check_cell(way: AssetNames, text: str) -> None:
    """Refuse what is no name of a file in the folder of the task."""
    parts = text.split("/")
    reject = partial(_reject_cell, way, text)
    if text.startswith("/") or "\\" in text or {"", ".", ".."} & set(parts):
        reject("leads out of the folder of the files")
    if not text.isprintable():
        reject("has characters that cannot be printed")
    below = way.below(text) if way.names.form == "path" else text
    if "/" in below and not any("/" in way.below(cell) for cell, _ in way.examples):
        reject("has a slash, which names of the task have not")


def _reject_cell(way: AssetNames, text: str, why: str) -> None:
    msg = f"{ROLE}: {_show(text)} in column {way.column!r} {why}"
    raise UserError(msg)


def _check_suffix(way: AssetNames, name: str) -> None:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in way.suffixes:
        known = " or ".join(map(repr, sorted(way.suffixes)[:4]))
        msg = f"{ROLE}: {_show(name)} ends in {suffix or 'no suffix'!r}; the files of the task end in {known}"
        raise UserError(msg)


def _show(text: str) -> str:
    return repr(text[:_SHOWN])
