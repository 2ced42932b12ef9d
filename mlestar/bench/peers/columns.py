"""The features of a task as numbers, categories and texts, for tools that read plain tables."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import pandas as pd

from mlestar.bench.peers.joins import join_tables
from mlestar.data.layouts.array_files import read_array
from mlestar.data.layouts.array_roles import base_name
from mlestar.data.layouts.arrays import Arrays
from mlestar.data.missing import equals_code
from mlestar.data.statistics import MISSING, ColumnStatistics, column_statistics
from mlestar.data.tables.numbers import read_numbers
from mlestar.data.task import Task

FeatureKind = Literal["number", "category", "text"]

# The limits below were chosen by judgement; none was measured.
_MAX_DEPTH = 4
"""Levels of nested JSON objects that become columns, as in the statistics of a file."""
_MAX_NUMBERS = 5000
"""Numbers of a row that an array may hold."""
_MAX_CELLS = 200_000_000
"""Numbers of all rows of an array."""


class UnhandledDataError(Exception):
    """Plain tables cannot hold this task; the message says why in a line."""


@dataclass(frozen=True)
class Feature:
    """A feature of train and test rows."""

    kind: FeatureKind
    train: pd.Series
    test: pd.Series


def find_features(task: Task, rows: np.ndarray) -> list[Feature]:
    """Return the features that train and test have, without the id.

    Args:
        task: the task.
        rows: mask of the rows of train that have a label.

    Raises:
        UnhandledDataError: there are none.
    """
    features = [feature for pair in _shared_columns(task, rows) for feature in _read_column(task, *pair)]
    if isinstance(task.layout, Arrays):
        return [*features, *_array_features(task, task.layout, rows)]
    # Where rows are pictures or sounds, a category such as the speaker says nothing about the label.
    if task.spec.modality in ("image", "audio") and all(feature.kind == "category" for feature in features):
        msg = f"rows are {'pictures' if task.spec.modality == 'image' else 'sounds'} in files"
        raise UnhandledDataError(msg)
    if not features:
        msg = "train and test have no column of features in common"
        raise UnhandledDataError(msg)
    return features


def _shared_columns(task: Task, rows: np.ndarray) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    train, test = task.train.rows[rows].reset_index(drop=True), task.test.rows.reset_index(drop=True)
    left_out = {*task.spec.target, task.spec.id}
    own = ((name, train[name], test[name]) for name in test.columns if name in train.columns and name not in left_out)
    for name, left, right in chain(own, join_tables(task, train, test)):
        yield from _flatten(str(name), left, right, _MAX_DEPTH)


def _flatten(name: str, train: pd.Series, test: pd.Series, depth: int) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """Yield a column; of JSON objects each of their fields as a column."""
    records = [[_load(cell) for cell in cells] for cells in (train, test)] if depth and _is_nested(train) else []
    if not records:
        yield name, train, test
        return
    for field in dict.fromkeys(field for record in records[0] for field in record):
        left, right = (pd.Series([_cell(record.get(field)) for record in side], dtype=object) for side in records)
        yield from _flatten(f"{name}.{field}", left, right, depth - 1)


def _is_nested(cells: pd.Series) -> bool:
    filled = cells[cells != ""]
    return len(filled) > 0 and bool(filled.str.startswith("{").all()) and all(map(_load, filled.head(100)))


def _load(cell: str) -> dict[str, object]:
    try:
        value = json.loads(cell, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _read_column(task: Task, name: str, train: pd.Series, test: pd.Series) -> Iterator[Feature]:
    column = _statistics(task, name, train)
    train, test = (_without_codes(cells, column) for cells in (train, test))
    if column.kind in ("int", "float"):
        yield Feature("number", *(pd.Series(read_numbers(cells, column.number_format)) for cells in (train, test)))
    elif column.kind == "date":
        yield from _date_features(train, test, column.date_format)
    elif column.kind in ("text", "json"):
        yield Feature("text", train, test)
    elif column.kind in ("bool", "category", "id"):
        yield Feature("category", train, test)


def _statistics(task: Task, name: str, cells: pd.Series) -> ColumnStatistics:
    described = {column.name: column for file in reversed(task.statistics) for column in file.columns}
    described |= {
        column.name: column for file in task.statistics if file.file == task.train.name for column in file.columns
    }
    return described.get(name) or column_statistics(name, cells)


def _without_codes(cells: pd.Series, column: ColumnStatistics) -> pd.Series:
    """Return cells in which missing values are empty."""
    values = cells.unique().tolist()
    coded = equals_code(values, column.missing_codes) if column.missing_codes else np.zeros(len(values), dtype=bool)
    missing = {*MISSING, *(value for value, is_code in zip(values, coded, strict=True) if is_code)}
    return cells.where(~cells.isin(list(missing)), "")


def _date_features(train: pd.Series, test: pd.Series, style: str) -> Iterator[Feature]:
    """Yield days since 1970, and year, month, day, day of the week and hour where they differ."""
    sides = [_read_dates(cells, style) for cells in (train, test)]
    for part in ("year", "month", "day", "dayofweek", "hour"):
        left, right = (getattr(dates.dt, part).astype(float) for dates in sides)
        if left.nunique() > 1:
            yield Feature("number", left, right)
    yield Feature("number", *((dates - pd.Timestamp(0)) / pd.Timedelta(days=1) for dates in sides))


def _read_dates(cells: pd.Series, style: str) -> pd.Series:
    dates = pd.to_datetime(cells, format=style or "ISO8601", errors="coerce", utc=True)
    if not style and dates.isna().mean() > (cells == "").mean():
        dates = pd.to_datetime(cells, format="mixed", errors="coerce", utc=True)
    return dates.dt.tz_localize(None)


def _array_features(task: Task, layout: Arrays, rows: np.ndarray) -> list[Feature]:
    """Return every number that a row of an array holds as a feature."""
    roles, features = layout.roles, list[Feature]()
    for array in roles.train:
        test = roles.test.get(base_name(array))
        if len(array.shape) < 2 or test is None:
            continue
        width = int(np.prod(array.shape[1:]))
        if array.dtype.kind not in "biuf" or width > _MAX_NUMBERS or width * array.rows > _MAX_CELLS:
            msg = f"{array.title} has {width:,} values in a row, which is no plain table"
            raise UnhandledDataError(msg)
        left, right = (read_array(task.input, side).reshape(-1, width).astype(float) for side in (array, test))
        left = left[rows]
        features += [Feature("number", pd.Series(left[:, i]), pd.Series(right[:, i])) for i in range(width)]
    if not features:
        msg = "no array of train has one of test beside it"
        raise UnhandledDataError(msg)
    return features
