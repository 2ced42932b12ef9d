"""Files that belong to single rows: pictures, sounds and the like, named by an id or by a path in a column."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Literal, Self

import numpy as np
import pandas as pd

from mlestar.data.layouts.layout import HoldoutRows, PlaceFile
from mlestar.data.layouts.sources import TaskFile

# The limits below were chosen by judgement; none was measured.
_COVERED = 0.9
"""Share of the rows that must have a file."""
_SAMPLE_ROWS = 200
"""Rows on which columns and folders are tried."""
_MIN_DISTINCT = 0.5
"""Different cells per row that a column must have to name files: a word that many rows share names none."""

CellForm = Literal["path", "name", "stem"]
"""What a cell holds of a path below the folder: all of it, or without the suffix (`stem`); `path` starts at the input
folder."""


@dataclass(frozen=True)
class FileNames:
    """How the rows of a table name their files."""

    column: str
    folder: str
    """Relative to the input folder, without a slash at its end; empty for the input folder itself."""
    form: CellForm

    def key(self, cell: str) -> str:
        """Return what the index of files has for a cell."""
        cell = cell.strip()
        return cell if self.form == "path" or not self.folder else f"{self.folder}/{cell}"


@dataclass(frozen=True)
class FolderPair:
    """Where the files of train rows are, and where those of test rows are."""

    train: FileNames
    test: FileNames | None
    """None where only train rows have such files, as masks or other answers: those of withheld rows are left out."""


@dataclass(frozen=True)
class Assets:
    """The files of single rows, where train and test have different folders."""

    pairs: tuple[FolderPair, ...]
    index: "FileIndex" = field(repr=False, compare=False)

    @property
    def note(self) -> str:
        """Describe for agents where the files are."""
        return "; ".join(_describe(pair) for pair in self.pairs)

    def owns(self, name: str) -> bool:
        """Return whether a file is in one of the folders."""
        return name.startswith(tuple(f"{folder}/" for folder in self._folders))

    @property
    def _folders(self) -> set[str]:
        names = [names for pair in self.pairs for names in (pair.train, pair.test) if names]
        return {name.folder for name in names}

    def rename(self, cells: pd.DataFrame) -> pd.DataFrame | None:
        """Return train rows with their paths as test rows have them; None where no cell is a path that changes."""
        pairs = [(pair.train, pair.test) for pair in self.pairs if pair.train.form == "path"]
        renamed = {
            train.column: [test.folder + str(cell).strip().removeprefix(train.folder) for cell in cells[train.column]]
            for train, test in pairs
            if test
        }
        return cells.assign(**renamed) if renamed else None

    def write(self, train: TaskFile, rows: HoldoutRows, source: Path, folder: Path, place: PlaceFile) -> list[str]:
        """Stage the files of kept rows as in train, those of withheld rows as in test; return their names."""
        if train.frame is None:
            return []
        written: list[str] = []
        for pair in self.pairs:
            cells = train.frame[pair.train.column].to_numpy(dtype=object)
            moves = [(cell, pair.train.folder, True) for cell in cells[rows.train]]
            if pair.test:
                # The folders of train may be named after the labels.
                keeps = pair.train.form == "path" or self._are_filed_alike(pair.train, pair.test, cells[rows.withheld])
                moves += [(cell, pair.test.folder, keeps) for cell in cells[rows.withheld]]
            for cell, to, keeps_folders in moves:
                for file in self.index.files(pair.train, str(cell)):
                    below = file.removeprefix(f"{pair.train.folder}/")
                    target = f"{to}/{below if keeps_folders else '/'.join(divide_path(below, str(cell))[1])}"
                    if not (folder / target).exists():
                        (folder / target).parent.mkdir(parents=True, exist_ok=True)
                        place(source / file, folder / target)
                        written.append(target)
        return written

    def _are_filed_alike(self, train: FileNames, test: FileNames, cells: Iterable[object]) -> bool:
        """Return whether the folders in which rows of train have their files are folders of test too."""
        known = {parent.as_posix() for file in self.index.names for parent in PurePosixPath(file).parents}
        files = ((file, str(cell)) for cell in cells for file in self.index.files(train, str(cell)))
        above = {divide_path(file.removeprefix(f"{train.folder}/"), cell)[0] for file, cell in files}
        return all("/".join((test.folder, *folders)) in known for folders in above)


def divide_path(below: str, cell: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders above what a cell names, and the rest of a path."""
    parts, names = PurePosixPath(below).parts, {cell.strip(), fold_name(cell.strip())}
    for place, part in enumerate(parts):
        if names & _spellings(part).keys():
            return parts[:place], parts[place:]
    return (), parts


def _spellings(name: str) -> dict[str, CellForm]:
    """Return what cells may have of the name of a file or folder."""
    stems = (PurePosixPath(name).stem, name.split(".")[0])
    spellings: dict[str, CellForm] = {name: "name", **dict.fromkeys(stems, "stem")}
    return {fold_name(spelling): form for spelling, form in spellings.items()} | spellings


def _describe(pair: FolderPair) -> str:
    where = f"{pair.train.folder}/"
    there = f"of test in {pair.test.folder}/" if pair.test else "test has none"
    return f"each row has files named by its column {pair.train.column!r}: of train in {where}, {there}"


class FileIndex:
    """Files and folders of an input folder by their paths, with and without suffixes.

    A name is also found in each folder above its own one, in the other case, and without the zeros before its numbers:
    `train/a/b/abc.jpg` is `abc` below `train`, and `train/0017.png` is 17.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.names = tuple(files)
        self._files: dict[str, list[str]] = {}
        self._folders: dict[str, dict[str, CellForm]] = {}
        for file in files:
            self._add(file)

    @classmethod
    def without(cls, files: Sequence[str], names: Iterable[str]) -> Self:
        """Index files except those with a role."""
        excluded = set(names)
        return cls([file for file in files if file not in excluded])

    def _add(self, file: str) -> None:
        path = PurePosixPath(file)
        self._register(path, file)
        # A row may have a folder of files: every folder stands for the files in it.
        for parent in path.parents:
            if parent.name:
                self._register(parent, file)

    def _register(self, path: PurePosixPath, file: str) -> None:
        folders = [str(parent) for parent in path.parents if parent.name] or [""]
        for spelling, form in _spellings(path.name).items():
            for folder in folders:
                key = f"{folder}/{spelling}" if folder else spelling
                files = self._files.setdefault(key, [])
                if not files or files[-1] != file:
                    files.append(file)
                self._folders.setdefault(spelling, {}).setdefault(folder, form)

    def files(self, names: FileNames, cell: str) -> list[str]:
        """Return the files of a row."""
        key = names.key(cell)
        folder, slash, name = key.rpartition("/")
        return self._files.get(key) or self._files.get(f"{folder}{slash}{fold_name(name)}", [])

    def candidates(self, cell: str) -> list[tuple[str, CellForm]]:
        """Return (folder, form) under which a cell names a file; of whole paths the folder is empty."""
        cell = cell.strip()
        if "/" in cell:
            return [("", "path")] if cell in self._files else self._below(cell)
        return list(self._folders_of(cell).items())

    def _below(self, cell: str) -> list[tuple[str, CellForm]]:
        """Return the folders under which a relative path exists."""
        path = PurePosixPath(cell)
        folders, end = self._folders_of(path.name), f"/{path.parent}"
        return [(folder.removesuffix(end), form) for folder, form in folders.items() if f"/{folder}".endswith(end)]

    def _folders_of(self, name: str) -> dict[str, CellForm]:
        return self._folders.get(name) or self._folders.get(fold_name(name), {})

    def find_names(self, frame: pd.DataFrame, columns: Iterable[str]) -> list[FileNames]:
        """Return the ways in which rows of a table name files, the one that covers the most rows first."""
        sample = frame.iloc[np.linspace(0, len(frame) - 1, min(len(frame), _SAMPLE_ROWS)).astype(int)]
        ranked: list[tuple[int, FileNames]] = []
        for column in columns:
            cells = sample[column]
            if cells.nunique() < _MIN_DISTINCT * len(cells):
                continue
            counts = Counter(candidate for cell in cells for candidate in self.candidates(str(cell)))
            for (folder, form), count in counts.items():
                if count >= _COVERED * len(cells):
                    where = _common_folder(cells) if form == "path" else folder
                    ranked.append((count, FileNames(str(column), where, form)))
        ranked.sort(key=lambda pair: (-pair[0], -pair[1].folder.count("/")))
        found: list[FileNames] = []
        for _, names in ranked:
            if names.folder and not any(_is_above(names, other) for other in found):
                found.append(names)
        return found


def fold_name(name: str) -> str:
    """Return a name without case, and without the zeros before its numbers."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold())


def _is_above(names: FileNames, other: FileNames) -> bool:
    """Return whether the same column names the same files in a folder below."""
    return names.column == other.column and other.folder.startswith(f"{names.folder}/")


def _common_folder(cells: Iterable[str]) -> str:
    """Return the folder that all paths are below."""
    parents = [PurePosixPath(str(cell).strip()).parent.parts for cell in cells]
    same = takewhile(lambda parts: len(set(parts)) == 1, zip(*parents, strict=False))
    return "/".join(parts[0] for parts in same)


def find_assets(train: TaskFile, test: TaskFile, files: Sequence[str]) -> Assets | None:
    """Return the files that rows name; None where there are none, or where train and test share their folder."""
    if train.frame is None or test.frame is None or not len(test.frame) or not any("/" in file for file in files):
        return None
    index = FileIndex.without(files, (train.name, test.name))
    shared = [column for column in test.columns if column in train.columns]
    return pair_folders(index, index.find_names(train.frame, shared), index.find_names(test.frame, shared))


def pair_folders(index: FileIndex, train: Sequence[FileNames], test: Sequence[FileNames]) -> Assets | None:
    """Pair the folders of train with those of test; None where all files are in folders that both share."""
    pairs: list[FolderPair] = []
    for names in train:
        same = [other for other in test if (other.column, other.form) == (names.column, names.form)]
        others = [other for other in same if other.folder != names.folder]
        expected = [other for other in others if other.folder == _test_folder(names.folder)]
        if expected:
            pairs.append(FolderPair(names, expected[0]))
        elif others and len(others) == len(same) and len(train) == 1:
            pairs.append(FolderPair(names, others[0]))
        elif test and len(others) == len(same):
            pairs.append(FolderPair(names, None))
    if not any(pair.test for pair in pairs):
        return None
    return Assets(tuple(pairs), index)


def _test_folder(folder: str) -> str:
    """Return the name of test's folder beside one of train."""
    return re.sub("train(ing)?", lambda match: "TEST" if match[0].isupper() else "test", folder, flags=re.IGNORECASE)
