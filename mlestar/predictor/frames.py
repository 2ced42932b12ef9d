"""Checking a frame of new rows for a task, and converting its cells to the text form of the task's files.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.frame_columns import as_frame, as_text_columns
from mlestar.data.kinds import MISSING, ColumnKind
from mlestar.data.tables.numbers import NumberStyle
from mlestar.errors import UserError, nearest

ROLE = "new rows"
"""What messages call the frame."""
_NUMBERS: tuple[ColumnKind, ...] = ("int", "float")
_SHOWN = 6
"""Most names in a message."""

NoteCallback = Callable[[str], None]


class RowColumn(BaseModel):
    """A column that new rows must have."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    number_format: str = ""
    """How the number 1234.5 is written; empty for plain numbers."""
    date_format: str = ""
    """For `strftime`; empty for dates that begin with the year."""
    missing_codes: tuple[str, ...] = ()
    """Cells that stand for missing values."""
    examples: tuple[str, ...] = ()


class RowSpec(BaseModel):
    """What a frame of new rows must hold."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[RowColumn, ...]
    """In the order of the task's files; an id that may be left out is not among them."""
    id: RowColumn | None = None
    """Identifies a row; it may be left out if `free_id` is true."""
    free_id: bool = True
    targets: tuple[str, ...] = ()
    """Columns that are left out of the frame."""
    counters: dict[str, int] = {}
    """Columns that only number the rows, with the first number; they are numbered again."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that a frame must have."""
        required = () if self.id is None or self.free_id else (self.id.name,)
        return (*required, *(column.name for column in self.columns))


def check_frame(spec: RowSpec, frame: Any, on_note: NoteCallback | None = None) -> pd.DataFrame:
    """Return the rows of a frame with the columns of a spec; every cell is text, in the form of the task's files.

    The id is the first column, if the frame has it. The index counts the rows.

    Args:
        spec: what the frame must hold.
        frame: a pandas or polars frame.
        on_note: receives a line about columns that are left out.

    Raises:
        UserError: the frame has no rows, lacks a column, has values of another kind or a duplicate id; the message
            names the column.
    """
    if hasattr(frame, "collect") and hasattr(frame, "collect_schema"):
        frame = frame.collect()  # a lazy frame of polars
    table = as_text_columns(as_frame(ROLE, frame), ROLE)
    if not len(table):
        msg = f"{ROLE}: the frame has no rows"
        raise UserError(msg)
    _check_names(spec, table, on_note)
    columns = [spec.id] if spec.id is not None and spec.id.name in table.columns else []
    columns += spec.columns
    cells = pd.DataFrame({column.name: _write(column, table[column.name]) for column in columns}, dtype=object)
    for column in columns:
        _check_kind(column, cells[column.name])
    if spec.id is not None and spec.id.name in cells.columns:
        _check_ids(cells[spec.id.name])
    return cells


def _check_names(spec: RowSpec, table: pd.DataFrame, on_note: NoteCallback | None) -> None:
    present = list(table.columns)
    if missing := [name for name in spec.names if name not in present]:
        others = [name for name in present if name not in spec.names]
        match = nearest(missing[0], others)
        hint = f" (did you mean {match!r}?)" if match else ""
        msg = f"{ROLE}: the frame lacks {_list(missing)}{hint}"
        raise UserError(msg)
    known = {*spec.names, *spec.counters, *([spec.id.name] if spec.id else [])}
    extra = [name for name in present if name not in known]
    if extra and on_note is not None:
        on_note(f"{ROLE}: left out: {_list(extra)}")


def _list(names: list[str]) -> str:
    more = len(names) - _SHOWN
    shown = ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
    return f"the column{'s' if len(names) > 1 else ''} {shown}"


def _check_kind(column: RowColumn, cells: pd.Series) -> None:
    """Refuse cells that are not numbers or dates in columns where those of train are."""
    texts = cells.str.strip()
    filled = ~texts.isin([*MISSING, *column.missing_codes]).to_numpy()
    if column.kind in _NUMBERS:
        wrong = np.isnan(NumberStyle.of_text(column.number_format).read(texts)) & filled
        form = f" like {column.number_format}" if column.number_format else ""
        _reject(column, cells, wrong, f"is not a number{form}, as train has there")
    elif column.kind == "date" and not _read_dates(column, pd.Series(column.examples, dtype=object)).isna().any():
        wrong = _read_dates(column, texts).isna().to_numpy() & filled
        form = f" like {column.examples[0]}" if column.examples else ""
        _reject(column, cells, wrong, f"is not a date{form}, as train has there")


def _reject(column: RowColumn, cells: pd.Series, wrong: np.ndarray, why: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
        msg = f"{ROLE}: column {column.name!r}, row {row + 1}: {str(cells.iloc[row])[:60]!r} {why}{more}"
        raise UserError(msg)


def _check_ids(ids: pd.Series) -> None:
    empty = (ids.str.strip() == "").to_numpy()
    if empty.any():
        msg = f"{ROLE}: the id {str(ids.name)!r} of row {int(empty.argmax()) + 1} is empty"
        raise UserError(msg)
    repeated = ids.duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"{ROLE}: the id {str(ids.iloc[row])[:60]!r} in column {str(ids.name)!r} occurs twice"
        raise UserError(msg)


def _read_dates(column: RowColumn, texts: pd.Series) -> pd.Series:
    dates: pd.Series = pd.to_datetime(texts, format=column.date_format or "mixed", errors="coerce", utc=True)
    return dates


def _write(column: RowColumn, values: pd.Series) -> pd.Series:
    """Return the values of a column as text, empty where they are missing."""
    missing = values.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        texts = values.dt.strftime(column.date_format or _iso_format(column, values))
    elif pd.api.types.is_bool_dtype(values) and not missing.any():
        texts = values.map(_truth_values(column))
    else:
        texts = values.map(lambda value: _write_value(column, value), na_action="ignore")
    written: pd.Series = texts.astype(object).mask(missing, "").reset_index(drop=True)
    return written


def _write_value(column: RowColumn, value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool | np.bool_):
        return _truth_values(column)[bool(value)]
    if isinstance(value, float | np.floating) and column.kind != "float" and float(value).is_integer():
        value = int(value)
    text = str(value)
    if column.kind in _NUMBERS and column.number_format and not isinstance(value, str):
        style = NumberStyle.of_text(column.number_format)
        return f"{style.before}{text.replace('.', style.decimal)}{style.after}"
    return text


def _truth_values(column: RowColumn) -> dict[bool, str]:
    """Return how a column spells truth values."""
    if column.kind in _NUMBERS:
        return {True: "1", False: "0"}
    spellings = {text.lower(): text for text in column.examples}
    return {value: spellings.get(str(value).lower(), str(value)) for value in (True, False)}


def _iso_format(column: RowColumn, values: pd.Series) -> str:
    """Return a format of dates that begin with the year, with a time of day where train has one."""
    example = column.examples[0] if column.examples else ""
    day = "%Y/%m/%d" if "/" in example[:8] else "%Y-%m-%d"
    if ":" in example:
        return f"{day}{'T' if 'T' in example else ' '}%H:%M" + (":%S" if example.count(":") > 1 else "")
    has_time = not example and bool((values.dropna() != values.dropna().dt.normalize()).any())
    return f"{day} %H:%M:%S" if has_time else day
