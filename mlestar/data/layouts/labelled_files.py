"""A table of labels for files in a folder, and test files without a table: `train.csv`, `train/`, `test/`."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import pandas as pd

from mlestar.data.layouts.assets import Assets, FileIndex, FileNames, pair_folders
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.roles import LABEL_WORDS, file_words, role_of_name
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.layouts.tables import new_file
from mlestar.data.tables import is_table

# The limits below were chosen by judgement; none was measured.
_LISTED = 0.5
"""Rows of a table for each file of the folder whose files it labels."""
_MOST_TABLES = 20
"""Tables beside each other beyond which each of them is taken for a row."""


@dataclass(frozen=True, kw_only=True)
class LabelledFiles(Layout):
    """Labelled rows name files; the rows to predict are those of the sample submission or the files of a folder."""

    name: ClassVar[str] = "labelled files"

    assets: Assets | None
    """None where the files of all rows are in one folder."""

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if source.has_table("test"):
            return None
        index = FileIndex.without(source.folder.files, source.roles.values())
        train = source.table("train") if source.has_table("train") else _find_train(source, index)
        if train is None or train.frame is None:
            return None
        sample = source.table("sample_submission") if source.has_table("sample_submission") else None
        train_names = index.find_names(train.frame, train.columns)
        rows = _list_test(source, train_names, train, sample, index)
        if rows is None:
            return None
        train, test, test_names = rows
        same_column = [names for names in train_names if test_names and names.column == test_names.column]
        assets = pair_folders(index, same_column, [test_names]) if test_names else None
        listed = sample.name if sample else test.name
        rows_note = f"there is no table of test rows: the rows to predict are those of {listed}"
        return cls(
            source=source,
            train=train,
            test=test,
            sample=sample,
            assets=assets,
            note=f"{assets.note}; {rows_note}" if assets else rows_note,
            notes=(*_notes(source, train), rows_note, *([assets.note] if assets else [])),
        )

    def owns(self, name: str) -> bool:
        return name in self.names or (self.assets is not None and self.assets.owns(name))

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        self.source.tables.get(self.train.name).write(new_file(folder, self.train.name), rows.train)
        files = self.assets.write(self.train, rows, self.input, folder, place) if self.assets else []
        return [self.train.name, *files]


def _find_train(source: TaskSource, index: FileIndex) -> TaskFile | None:
    """Return the only table that names a file in each row and labels them, such as `labels.csv` beside `train/`."""
    if source.overrides.train:
        return None
    found: list[TaskFile] = []
    names = [name for name in source.folder.entries if is_table(source.folder.input / name)]
    for name in names if len(names) <= _MOST_TABLES else []:
        if name not in source.roles.values() and role_of_name(name) is None and source.tables.is_readable(name):
            table = source.tables.describe(name)
            if _has_labels(source, table) and _names_files(source, table, index):
                found.append(table)
    return found[0] if len(found) == 1 else None


def _names_files(source: TaskSource, table: TaskFile, index: FileIndex) -> bool:
    """Return whether the rows of a table are the files of a folder, and not folders of classes with many files each."""
    ways = index.find_names(table.frame, table.columns) if table.frame is not None else []
    files = [sum(file.startswith(f"{names.folder}/") for file in source.folder.files) for names in ways[:1]]
    return any(len(table.rows) >= _LISTED * count for count in files)


def _has_labels(source: TaskSource, table: TaskFile) -> bool:
    """Return whether a table is named after labels, or has what the sample submission asks for: a column or classes."""
    if len(table.columns) < 2 or table.frame is None:
        return False
    if LABEL_WORDS & set(file_words(table.name)):
        return True
    predicted = set(source.table("sample_submission").columns[1:]) if source.has_table("sample_submission") else set()
    return bool(predicted) and any(
        column in predicted or set(table.frame[column]) == predicted for column in table.columns
    )


def _notes(source: TaskSource, train: TaskFile) -> tuple[str, ...]:
    """Return a line for each role; train may be a table that no name suggests."""
    if source.roles.get("train") == train.name:
        return source.notes()
    others = (line for line in source.notes() if not line.startswith("train:"))
    return f"train: {train.name} (its rows name files)", *others


def _list_test(
    source: TaskSource, ways: list[FileNames], train: TaskFile, sample: TaskFile | None, index: FileIndex
) -> tuple[TaskFile, TaskFile, FileNames | None] | None:
    """Return train with its ids, the test rows, and how these name their files; None where no test rows are listed."""
    if not ways:
        return None
    if sample is not None and sample.frame is not None:
        return _list_sample(ways, train, sample, sample.frame, index)
    folder = next((entry for entry in _folders(source) if role_of_name(entry) == "test"), None)
    if folder is None:
        return None
    names = ways[0]
    files = [file.removeprefix(f"{folder}/") for file in source.folder.files if file.startswith(f"{folder}/")]
    cells = [_cell_of(file, names, folder) for file in files]
    frame = pd.DataFrame({names.column: cells}, dtype=str).drop_duplicates(ignore_index=True)
    return train, TaskFile(folder, (names.column,), frame), FileNames(names.column, folder, names.form)


def _list_sample(
    ways: list[FileNames], train: TaskFile, sample: TaskFile, cells: pd.DataFrame, index: FileIndex
) -> tuple[TaskFile, TaskFile, FileNames | None] | None:
    """Take the ids of the sample submission for the test rows."""
    column = sample.columns[0]
    frame = pd.DataFrame({column: cells[column]}).reset_index(drop=True)
    names = ways[0]
    others = index.find_names(cells, [column])
    train = _with_ids(train, names, column, others[0] if others else names)
    apart = [way for way in others if way.folder != names.folder]
    apart.sort(key=lambda way: role_of_name(way.folder) != "test")
    shared = len(apart) < len(others)
    if apart and (role_of_name(apart[0].folder) == "test" or not shared):
        folder = apart[0].folder
        return train, TaskFile(folder, (column,), frame), FileNames(names.column, folder, names.form)
    return train, TaskFile(sample.name, (column,), frame), None


def _folders(source: TaskSource) -> list[str]:
    return [entry for entry in source.folder.entries if (source.folder.input / entry).is_dir()]


def _cell_of(file: str, names: FileNames, folder: str) -> str:
    """Return the cell by which a row would name a test file."""
    if names.form == "path":
        return f"{folder}/{file}"
    return file if names.form == "name" else str(PurePosixPath(file).with_suffix(""))


def _with_ids(train: TaskFile, names: FileNames, column: str, way: FileNames) -> TaskFile:
    """Add the sample's id column to train where it has another name there, with cells in the sample's spelling."""
    if train.frame is None or column in train.columns:
        return train
    cells = train.frame[names.column].str.strip()
    if way.form == "stem" and names.form != "stem":
        cells = cells.map(lambda cell: PurePosixPath(cell).stem)
    frame = train.frame.assign(**{column: cells})
    return TaskFile(train.name, (*train.columns, column), frame)
