"""The columns of a frame that a caller passes, under names that are text."""

import re
from collections import Counter
from typing import Any

import pandas as pd

from mlestar.errors import TaskError

INDEX_NAME = re.compile(r"Unnamed: \d+")
"""How pandas names a column without a name, as an index that was written to a file has."""


def as_frame(role: str, table: Any) -> pd.DataFrame:
    """Return a table as a pandas frame.

    Raises:
        TaskError: it is no table.
    """
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):
        frame = table.to_pandas()
        if isinstance(frame, pd.DataFrame):
            return frame
    msg = f"{role}: give a pandas or polars frame, or the path of a file, not {type(table).__name__}"
    raise TaskError(msg)


def as_text_columns(frame: pd.DataFrame, role: str) -> pd.DataFrame:
    """Return a frame with text as column names and its named index among the columns.

    Raises:
        TaskError: it has a column twice.
    """
    levels = {name: frame.index.get_level_values(at) for at, name in enumerate(frame.index.names) if name is not None}
    named = [*levels, *frame.columns]
    names = [_name(name) for name in named]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        msg = f"{role}: the column {repeated[0]!r} occurs more than once: rename or drop one"
        raise TaskError(msg)
    columns = [*(pd.Series(level) for level in levels.values()), *(frame.iloc[:, at] for at in range(frame.shape[1]))]
    plain = dict(zip(names, (column.reset_index(drop=True) for column in columns), strict=True))
    return pd.DataFrame({name: column for name, column in plain.items() if not _is_old_index(name, column)})


def _name(name: object) -> str:
    return "_".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _is_old_index(name: str, column: "pd.Series[Any]") -> bool:
    """Return whether a column is an index that was written to a file and read back: no name, and each number once."""
    return bool(INDEX_NAME.fullmatch(name)) and pd.api.types.is_integer_dtype(column) and column.is_unique
