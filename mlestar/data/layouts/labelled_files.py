"""A table of labels for files in a folder, and test files without a table: `train.csv`, `train/`, `test/`."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import pandas as pd

from mlestar.data.layouts.assets import Assets, FileIndex, FileNames, pair_folders
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.layouts.tables import new_file


@dataclass(frozen=True, kw_only=True)
class LabelledFiles(Layout):
    """Labelled rows name files; the rows to predict are those of the sample submission or the files of a folder."""

    name: ClassVar[str] = "labelled files"

    assets: Assets | None
    """None where the files of all rows are in one folder."""

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if not source.has_table("train") or source.has_table("test"):
            return None
        train = source.table("train")
        if train.frame is None:
            return None
        index = FileIndex.without(source.folder.files, source.roles.values())
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
            notes=(*source.notes(), rows_note, *([assets.note] if assets else [])),
        )

    def owns(self, name: str) -> bool:
        return name in self.names or (self.assets is not None and self.assets.owns(name))

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        self.source.tables.get(self.train.name).write(new_file(folder, self.train.name), rows.train)
        files = self.assets.write(self.train, rows, self.input, folder, place) if self.assets else []
        return [self.train.name, *files]


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
    return file if names.form == "name" else str(PurePosixPath(file).with_name(PurePosixPath(file).name.split(".")[0]))


def _with_ids(train: TaskFile, names: FileNames, column: str, way: FileNames) -> TaskFile:
    """Add the sample's id column to train where it has another name there, with cells in the sample's spelling."""
    if train.frame is None or column in train.columns:
        return train
    cells = train.frame[names.column].str.strip()
    if way.form == "stem" and names.form != "stem":
        cells = cells.map(lambda cell: PurePosixPath(cell).name.split(".")[0])
    frame = train.frame.assign(**{column: cells})
    return TaskFile(train.name, (*train.columns, column), frame)
