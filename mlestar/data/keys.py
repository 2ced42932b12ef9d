"""Which columns of an auxiliary table hold the values of a column of train, so that they can be joined."""

from collections.abc import Mapping

import pandas as pd

from mlestar.data.statistics import MISSING, ColumnStatistics, FileStatistics

# The limits below were chosen by judgement; none was measured.
_KEY_ROWS = 5000
"""Rows of train that are looked up in another table."""
_KEY_CELLS = 500_000
"""Cells of train that are looked up in another table: of many columns fewer rows."""
_MAX_KEYS = 200
"""Columns of train that are looked up in another table; of further ones those that have its names."""
_KEY_COVERAGE = 0.8
"""Share of train's values that a key column must hold."""
_KEY_MIN_VALUES = 20
"""A column of numbers that is unique in a longer table is a key; in a shorter one by chance."""


def link_columns(statistics: FileStatistics, table: pd.DataFrame, name: str, train: pd.DataFrame) -> FileStatistics:
    """Record which columns of an auxiliary table hold the values of a column of train, so that they can be joined.

    Args:
        statistics: the description of the table.
        table: its cells.
        name: the file name of train.
        train: the cells of train.
    """
    keys = _train_keys(train, set(table.columns))
    columns: list[ColumnStatistics] = []
    for column in statistics.columns:
        shared = _shared_keys(column, table, keys) if column.name in table else []
        columns.append(column.model_copy(update={"shared_with": tuple(f"{name}:{key}" for key in shared)}))
    return statistics.model_copy(update={"columns": tuple(columns)})


def _train_keys(train: pd.DataFrame, names: set[str]) -> dict[str, set[str]]:
    """Return the values of the columns of train that may be a key: the first ones, and those that the table names."""
    candidates = [str(key) for place, key in enumerate(train) if place < _MAX_KEYS or key in names]
    rows = min(_KEY_ROWS, max(_KEY_MIN_VALUES, _KEY_CELLS // max(len(candidates), 1)))
    values = {key: set(train[key].iloc[:rows].tolist()) - set(MISSING) for key in candidates}
    return {key: cells for key, cells in values.items() if len(cells) > 1}


def _shared_keys(column: ColumnStatistics, table: pd.DataFrame, keys: Mapping[str, set[str]]) -> list[str]:
    """Return the keys whose values a column covers, if it has the same name or is unlikely to cover them by chance."""
    identifies = column.kind in ("date", "id", "category") or column.distinct == len(table) > _KEY_MIN_VALUES
    if column.distinct < 2 or not (identifies or column.name in keys):
        return []
    wanted = keys if identifies else {column.name: keys[column.name]}
    dates = {key: {value[:10] for value in values} for key, values in wanted.items()} if column.kind == "date" else {}
    looked_up = set().union(*wanted.values(), *dates.values())
    cells = table[column.name]
    present = set(cells[cells.isin(looked_up)].unique().tolist())
    return [
        key for key in wanted if any(_covers(present, values) for values in (wanted[key], dates.get(key)) if values)
    ]


def _covers(present: set[str], values: set[str]) -> bool:
    return len(values & present) / len(values) > _KEY_COVERAGE
