"""Rows are positions along the first axis of arrays: `train.npz`, or `X_train.npy` with `y_train.npy`, or HDF5."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from mlestar.data.layouts.array_cells import TargetCells, as_cells, target_cells
from mlestar.data.layouts.array_files import (
    ArrayInfo,
    NewArray,
    is_array_file,
    list_arrays,
    read_array,
    write_arrays,
)
from mlestar.data.layouts.array_roles import ArrayRoles, base_name, find_array_roles, test_name
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.sources import TaskFile, empty_rows
from mlestar.data.layouts.tables import new_file
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.statistics import FileStatistics, column_statistics, table_statistics
from mlestar.errors import HoldoutError, TaskError
from mlestar.metrics.spec import Modality

# The limits below were chosen by judgement; none was measured.
_MIN_SIDE = 8
"""Pixels of a side from which an array of rows and columns is a picture."""
_MAX_FILES = 50
"""Array files of one folder beyond which each of them is taken for a row."""


@dataclass(frozen=True, kw_only=True)
class Arrays(Layout):
    """Labelled rows and rows to predict in arrays, in one file or in several; labels may be in a table."""

    name: ClassVar[str] = "arrays"

    roles: ArrayRoles = field(repr=False)
    label_table: str | None = None
    """The table of the labels, in the order of the arrays."""

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        if source.has_table("test"):
            return None
        arrays = _list_all(source)
        table = source.table("train") if source.has_table("train") else None
        labelled = None if table is None or table.frame is None else len(table.frame)
        roles = find_array_roles(arrays, labelled) if arrays else None
        if roles is None:
            return None
        has_test = bool(roles.test) and not roles.answers
        sample = source.table("sample_submission") if has_test and source.has_table("sample_submission") else None
        targets = None if table is not None else _targets(source, roles, sample)
        note = _note(roles, table, sample, has_test=has_test)
        train = _train_rows(source, roles, table, targets)
        test = _test_rows(source, roles, sample, train) if has_test else _no_rows(roles)
        return cls(
            source=source,
            train=train,
            test=test,
            sample=sample,
            has_test=has_test,
            note=f"{note}; {targets.note}" if targets and targets.note else note,
            notes=_notes(roles, table, sample, has_test=has_test),
            modality=_modality(roles),
            roles=roles,
            label_table=table.name if table else None,
        )

    @property
    def names(self) -> tuple[str, ...]:
        arrays = [*self.roles.train, *self.roles.labels, *(self.roles.test.values() if self.has_test else ())]
        tables = [self.label_table, self.sample.name if self.sample else None]
        return tuple(dict.fromkeys([array.file for array in arrays] + [name for name in tables if name]))

    def owns(self, name: str) -> bool:
        return name in self.names

    def hides(self, name: str) -> bool:
        answers = [*self.roles.answers, *self.roles.test.values()] if self.roles.answers else []
        return name in {array.file for array in answers} - {array.file for array in self.roles.train}

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        files = self._new_arrays(rows)
        for name, arrays in files.items():
            write_arrays(self.input, new_file(folder, name), arrays)
        if self.label_table is None:
            return list(files)
        self.source.tables.get(self.label_table).write(new_file(folder, self.label_table), rows.train)
        return [*files, self.label_table]

    def _new_arrays(self, rows: HoldoutRows) -> dict[str, list[NewArray]]:
        """Return the arrays of a holdout by their files."""
        files: dict[str, list[NewArray]] = {}
        for array in (*self.roles.train, *self.roles.labels):
            files.setdefault(array.file, []).append(NewArray(array.key, array, rows.train))
        for array in self.roles.others:
            files.setdefault(array.file, []).append(NewArray(array.key, array, None))
        by_base = {base_name(array): array for array in self.roles.train}
        if not self.has_test:
            for array in self.roles.train:
                name, key = new_test(array)
                files.setdefault(name, []).append(NewArray(key, array, rows.withheld))
            return files
        for base, array in self.roles.test.items():
            files.setdefault(array.file, []).append(_withheld_array(by_base.get(base), array, rows))
        return files

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        frames = {self.train.name: self.train.rows if rows is None else self.train.rows.iloc[rows]}
        frames |= {self.test.name: self.test.rows} if self.has_test else {}
        described = [self._describe(name, frames.get(name)) for name in self.names if is_array_file(name)]
        tables = [(name, self.source.tables.get(name)) for name in self.names if not is_array_file(name)]
        return (
            *described,
            *(table_statistics(name, table, rows if name == self.label_table else None) for name, table in tables),
        )

    def _describe(self, name: str, frame: pd.DataFrame | None) -> FileStatistics:
        roles = self.roles
        arrays = [*roles.train, *roles.labels, *(roles.test.values() if self.has_test else ()), *roles.others]
        columns = [] if frame is None else [column_statistics(str(column), frame[column]) for column in frame]
        return FileStatistics(
            file=name,
            size=(self.input / name).stat().st_size,
            columns=tuple(columns),
            note="arrays " + ", ".join(str(array) for array in arrays if array.file == name),
        )


def _list_all(source: TaskSource) -> list[ArrayInfo]:
    """List the arrays of all files.

    Raises:
        TaskError: one cannot be read, and there are no files of other kinds.
    """
    files = [file for file in source.folder.files if is_array_file(file)]
    others = set(source.folder.files) - {*files, source.roles.get("sample_submission")}
    arrays: list[ArrayInfo] = []
    for file in files if len(files) <= _MAX_FILES else []:
        try:
            arrays += list_arrays(source.folder.input, file)
        except TaskError:
            if not others:
                raise
    return arrays


def _withheld_array(train: ArrayInfo | None, test: ArrayInfo, rows: HoldoutRows) -> NewArray:
    """Return the array of test for the withheld rows, from that of train or from their ids."""
    if train is not None:
        return NewArray(test.key, train, rows.withheld, dtype=_dtype(train, test))
    if base_name(test) == rows.id and rows.ids is not None:
        values = rows.ids.to_numpy()
        values = values.astype(test.dtype) if test.dtype.kind in "iuf" else values.astype(str)
        return NewArray(test.key, test, rows.withheld, values)
    msg = f"{test.title} has no array of train rows beside it, so it cannot be written for withheld rows"
    raise HoldoutError(msg)


def _dtype(train: ArrayInfo, test: ArrayInfo) -> np.dtype | None:
    """Return the type of test's array, where values of train fit in it."""
    both_numbers = train.dtype.kind in "biuf" and test.dtype.kind in "biuf"
    return test.dtype if both_numbers and np.can_cast(train.dtype, test.dtype, "same_kind") else None


def new_test(array: ArrayInfo) -> tuple[str, str]:
    """Return file and key of test's array for one of train, where the task has none."""
    key, path = test_name(array.key), PurePosixPath(array.file)
    if key != array.key and test_name(path.name) == path.name:
        return array.file, key
    name = test_name(path.name)
    if name == path.name:
        name = f"test{path.suffix}" if array.key else f"{path.stem}_test{path.suffix}"
    return str(path.with_name(name)), key


def _targets(source: TaskSource, roles: ArrayRoles, sample: TaskFile | None) -> TargetCells:
    cells = [(base_name(array), read_array(source.folder.input, array)) for array in roles.labels]
    return target_cells(cells, sample.columns if sample else ())


def _train_rows(source: TaskSource, roles: ArrayRoles, table: TaskFile | None, targets: TargetCells | None) -> TaskFile:
    """Return the labelled rows: the one-dimensional arrays, then the targets or the table that has them."""
    name = max(roles.train, key=lambda array: (len(array.shape), array.file)).file
    columns = _fields(source.folder.input, {base_name(array): array for array in roles.train})
    if table is not None and table.frame is not None:
        columns |= {str(column): table.frame[column].reset_index(drop=True) for column in table.frame}
    if targets is not None:
        columns |= targets.columns
    frame = pd.DataFrame(columns, dtype=str)
    return TaskFile(name, tuple(frame.columns), frame)


def _test_rows(source: TaskSource, roles: ArrayRoles, sample: TaskFile | None, train: TaskFile) -> TaskFile:
    """Return the rows to predict, with the ids of the sample submission where no array has them."""
    columns = _fields(source.folder.input, roles.test)
    if sample is not None and sample.frame is not None and len(sample.columns) > 1:
        identifier = sample.columns[0]
        counts = sample.frame[identifier].tolist() in _countings(len(sample.frame))
        if identifier not in columns and (identifier in train.columns or not counts):
            _check_length(sample, sample.frame, roles)
            columns = {identifier: sample.frame[identifier].reset_index(drop=True), **columns}
    index = pd.RangeIndex(roles.test_rows)
    name = max(roles.test.values(), key=lambda array: len(array.shape)).file
    return TaskFile(name, tuple(columns), pd.DataFrame(columns, index=index, dtype=str))


def _check_length(sample: TaskFile, frame: pd.DataFrame, roles: ArrayRoles) -> None:
    if len(frame) != roles.test_rows:
        file = next(iter(roles.test.values())).file
        msg = f"{sample.name} has {len(frame)} rows, but the arrays of {file} have {roles.test_rows}"
        raise TaskError(msg)


def _countings(rows: int) -> list[list[str]]:
    return [[str(row) for row in range(start, start + rows)] for start in (0, 1)]


def _no_rows(roles: ArrayRoles) -> TaskFile:
    first = max(roles.train, key=lambda array: len(array.shape))
    return TaskFile(new_test(first)[0], (), empty_rows(()))


def _fields(folder: Path, arrays: Mapping[str, ArrayInfo]) -> dict[str, pd.Series]:
    flat = {name: array for name, array in arrays.items() if len(array.shape) == 1}
    return {name: as_cells(read_array(folder, array)) for name, array in flat.items()}


def _modality(roles: ArrayRoles) -> Modality:
    shapes = [array.shape[1:] for array in roles.train]
    if any(len(shape) in (2, 3) and sum(side >= _MIN_SIDE for side in shape) >= 2 for shape in shapes):
        return "image"
    return "table" if all(len(shape) <= 1 for shape in shapes) else "unknown"


def _note(roles: ArrayRoles, table: TaskFile | None, sample: TaskFile | None, *, has_test: bool) -> str:
    """Say for agents which array holds what."""
    parts = [f"labelled rows are {_list(roles.train)}"]
    parts.append(f"their labels are {_list(roles.labels) if table is None else table.name}")
    if has_test:
        parts.append(f"rows to predict are {_list(list(roles.test.values()))}")
    else:
        keys = ", ".join("/".join(filter(None, new_test(array))) for array in roles.train)
        parts.append(f"there are no test rows: {keys} hold other rows without labels, which are to be predicted")
    parts.append("position i along the first axis is row i of each")
    if sample is None:
        parts.append("write a row for each of them, in their order")
    return "; ".join(parts)


def _notes(roles: ArrayRoles, table: TaskFile | None, sample: TaskFile | None, *, has_test: bool) -> tuple[str, ...]:
    labels = _list(roles.labels) if table is None else table.name
    notes = [f"train: {roles.rows} rows of {_list(roles.train)}; labels: {labels}"]
    if roles.answers:
        hidden = _list([*roles.answers, *roles.test.values()])
        notes.append(f"{_list(roles.answers)} holds the answers of test: no input contains {hidden}")
    if has_test:
        notes.append(f"test: {roles.test_rows} rows of {_list(list(roles.test.values()))}")
    else:
        notes.append("test: none, so nothing has to be submitted; rows of train are withheld")
    return (*notes, *([f"sample_submission: {sample.name}"] if sample else []))


def _list(arrays: Sequence[ArrayInfo]) -> str:
    """Return the arrays by their files: `train.npz (id, image)`."""
    keys: dict[str, list[str]] = {}
    for array in arrays:
        keys.setdefault(array.file, []).append(array.key)
    return ", ".join(f"{file} ({', '.join(names)})" if any(names) else file for file, names in keys.items())
