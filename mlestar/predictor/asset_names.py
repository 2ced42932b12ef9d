"""How the rows to predict of a task name their assets, and where these are in its input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.layouts.assets import CellForm, FileIndex, FileNames, divide_path, fold_name
from mlestar.data.layouts.file_pairs import FilePairs
from mlestar.data.layouts.file_rows import FileRows
from mlestar.data.layouts.labelled_files import LabelledFiles
from mlestar.data.task import Task

_FORMS: dict[str, CellForm] = {"name": "name", "stem": "stem", "path": "path"}
_EXAMPLES = 500
"""Rows of the task from which the form of names is taken. Chosen by judgement; not measured."""
_COMMON = 0.5
"""Share of test rows with a file of train rows from which files are those of a key that rows have in common. Chosen by
judgement; not measured."""


@dataclass(frozen=True)
class PathParts:
    """What the path of an asset consists of, below the folder of the assets."""

    above: str
    """Folders above what the cell names, with a slash at the end; often empty."""
    name: str
    """The spelling of what the cell names."""
    tail: str
    """The rest: a suffix, or files in a folder that the cell names."""


@dataclass(frozen=True)
class AssetNames:
    """How rows to predict name the assets in one folder."""

    names: FileNames
    is_shared: bool
    """The assets of train rows are in the same folder."""
    examples: tuple[tuple[str, tuple[str, ...]], ...] = field(repr=False)
    """Cells of rows of the task, each with its files; a row may have none."""
    reference: tuple[str, ...] = field(repr=False)
    """Files of such rows, in the input folder of the task."""

    @property
    def column(self) -> str:
        return self.names.column

    def below(self, file: str) -> str:
        """Return the path of a file relative to the folder."""
        return file.removeprefix(f"{self.names.folder}/")

    @cached_property
    def _parts(self) -> list[list[PathParts]]:
        return [[self.divide(cell, self.below(file)) for file in files] for cell, files in self.examples]

    @cached_property
    def tails(self) -> frozenset[str]:
        """The tails that all rows of the task with an asset have."""
        rows = [{part.tail for part in parts} for parts in self._parts if parts]
        return frozenset(set.intersection(*rows)) if rows else frozenset()

    @cached_property
    def is_optional(self) -> bool:
        """Whether rows of the task lack assets."""
        return any(not parts for parts in self._parts)

    @cached_property
    def is_exact(self) -> bool:
        """Whether files are spelled exactly as cells name them."""
        return all(
            part.name == cell for (cell, _), parts in zip(self.examples, self._parts, strict=True) for part in parts
        )

    @cached_property
    def is_flat(self) -> bool:
        """Whether no file is in folders above what its cell names."""
        return not any(part.above for parts in self._parts for part in parts)

    @cached_property
    def is_nested(self) -> bool:
        """Whether the folder has folders in it."""
        return any("/" in self.below(file) for _, files in self.examples for file in files)

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """The suffixes of the assets in lower case."""
        return frozenset(PurePosixPath(file).suffix.lower() for file in self.reference)

    def divide(self, cell: str, below: str) -> PathParts:
        """Divide the path of a row's file."""
        plain = self.below(cell.strip()) if self.names.form == "path" else cell.strip()
        if below.startswith(plain) and below[len(plain) :][:1] in ("", ".", "/"):
            return PathParts("", cell.strip(), below[len(plain) :])
        folders, rest = divide_path(below, cell)
        first, spelling = rest[0], fold_name(plain)
        names = (first, PurePosixPath(first).stem, first.split(".")[0])
        name = next((name for name in names if name == plain), "") or next(
            (name for name in names if fold_name(name) == spelling), first
        )
        above = "".join(f"{folder}/" for folder in folders)
        return PathParts(above, name, first[len(name) :] + "".join(f"/{part}" for part in rest[1:]))

    def cell_of(self, below: str) -> str:
        """Return the cell by which a row names a file."""
        if self.names.form == "path":
            return f"{self.names.folder}/{below}"
        return below if self.names.form == "name" else str(PurePosixPath(below).with_suffix(""))


def find_asset_names(task: Task) -> tuple[AssetNames, ...]:
    """Return how rows to predict name assets; none where a row has no file of its own, or rows are those of arrays."""
    return task.remember("asset names", lambda: tuple(_find(task)))


def _find(task: Task) -> Iterator[AssetNames]:
    layout = task.layout
    if isinstance(layout, FileRows):
        names = FileNames(layout.test.columns[0], layout.test.name, _FORMS[layout.ids_have])
        files = layout.paths.test_files or tuple(
            f"{layout.test.name}/{PurePosixPath(file).name}" for file in layout.paths.files
        )
        known = layout.paths.test_files or layout.paths.files
        yield _of_files(names, files, known)
    elif isinstance(layout, FilePairs):
        files = tuple(layout.pairs.test_files.values())
        yield _of_files(FileNames(layout.form.id, layout.pairs.test, "stem"), files, files)
    elif layout.train.frame is not None and layout.test.frame is not None:
        yield from _find_in_tables(task)


def _of_files(names: FileNames, files: tuple[str, ...], reference: tuple[str, ...]) -> AssetNames:
    form = AssetNames(names, False, (), reference)
    cells = [(form.cell_of(form.below(file)), (file,)) for file in _some(files)]
    return AssetNames(names, False, tuple(cells), reference)


def _find_in_tables(task: Task) -> Iterator[AssetNames]:
    layout = task.layout
    train, test = layout.train.rows, layout.test.rows
    index = asset_index(task)
    columns = list(layout.test.columns)
    of_train = index.find_names(train, [name for name in columns if name in train.columns])
    of_test = index.find_names(test, columns) if layout.has_test and len(test) else []
    assets = getattr(layout, "assets", None)
    pairs = assets.pairs if assets is not None else ()
    apart = {pair.test.folder for pair in pairs if pair.test}
    taken = apart | {pair.train.folder for pair in pairs}
    shared = {names.folder for names in of_train} - taken
    ways = [names for names in of_test if names.folder in apart or names.folder in shared]
    if isinstance(layout, LabelledFiles) and not pairs and not ways:
        ways = of_test
    rows = test if layout.has_test else train
    ways = ways if layout.has_test else [names for names in of_train if names.column in columns]
    found: list[AssetNames] = []
    for names in sorted(ways, key=lambda names: ("path", "name", "stem").index(names.form)):
        own = _of_rows(index, names, rows, is_shared=names.folder in shared)
        if layout.has_test and own.is_shared and _is_of_keys(index, own, of_train, train):
            continue
        if not any(set(own.reference) & set(other.reference) for other in found):
            found.append(own)
    yield from found


def _of_rows(index: FileIndex, names: FileNames, rows: pd.DataFrame, *, is_shared: bool) -> AssetNames:
    cells = _some([str(cell).strip() for cell in rows[names.column]])
    examples = tuple((cell, tuple(index.files(names, cell))) for cell in cells)
    return AssetNames(names, is_shared, examples, tuple(file for _, files in examples for file in files))


def _is_of_keys(index: FileIndex, own: AssetNames, of_train: Iterable[FileNames], train: pd.DataFrame) -> bool:
    """Return whether most files of test rows are those of train rows too, as where rows name a shop or a patient."""
    ways = [names for names in of_train if names.folder == own.names.folder]
    known = {file for names in ways for cell in train[names.column] for file in index.files(names, str(cell))}
    return bool(own.reference) and sum(file in known for file in own.reference) >= _COMMON * len(own.reference)


def _some(values: list[str] | tuple[str, ...]) -> list[str]:
    places = np.linspace(0, len(values) - 1, min(len(values), _EXAMPLES)).astype(int)
    return [values[place] for place in places]


def asset_index(task: Task) -> FileIndex:
    """Return the files of a task that may be assets."""
    layout = task.layout
    return task.remember("asset index", lambda: FileIndex.without(layout.source.folder.files, layout.names))


def files_of_rows(task: Task, rows: pd.DataFrame, ways: Iterable[FileNames]) -> dict[str, None]:
    """Return the assets of rows in the order of the rows, in the input folder of the task, each once."""
    index = asset_index(task)
    cells = [(names, str(cell)) for names in ways if names.column in rows.columns for cell in rows[names.column]]
    return {file: None for names, cell in cells for file in index.files(names, cell)}


def test_assets(task: Task) -> set[str]:
    """Return the assets of the rows to predict of the real input; none where it has no test."""
    layout = task.layout
    if isinstance(layout, FileRows):
        return set(layout.paths.test_files)
    if isinstance(layout, FilePairs):
        return set(layout.pairs.test_files.values())
    if not layout.has_test or not (ways := find_asset_names(task)):
        return set()
    return set(files_of_rows(task, layout.test.rows, [way.names for way in ways]))


def train_assets(task: Task, rows: np.ndarray | None = None) -> set[str]:
    """Return the assets of labelled rows, and files that only these have, such as masks.

    Args:
        task: of a run.
        rows: numbers of labelled rows; None for all.
    """
    layout = task.layout
    if isinstance(layout, FileRows):
        return set(_chosen(layout.paths.files, rows))
    if isinstance(layout, FilePairs):
        return {file for pair in _chosen(list(layout.pairs.rows.values()), rows) for file in pair}
    if layout.train.frame is None or not (ways := find_asset_names(task)):
        return set()
    assets = getattr(layout, "assets", None)
    pairs = [pair.train for pair in assets.pairs] if assets else []
    shared = [way.names for way in ways if way.is_shared]
    frame = layout.train.frame if rows is None else layout.train.frame.iloc[rows]
    return set(files_of_rows(task, frame, [*pairs, *shared]))


def _chosen(values: Sequence[Any], rows: np.ndarray | None) -> Sequence[Any]:
    return values if rows is None else [values[row] for row in rows]
