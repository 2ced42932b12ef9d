"""Checking a frame of new rows for a task, and converting its cells to the text form of the task's files.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.frame_columns import as_frame, as_text_columns
from mlestar.data.tables.numbers import NumberStyle
from mlestar.errors import UserError, nearest
from mlestar.metrics.labels import canonical_labels
from mlestar.predictor.cells import NUMBERS, ROLE, RowColumn, reject, write_cells
from mlestar.predictor.date_cells import DateForm

_SHOWN = 6
"""Most names in a message."""

NoteCallback = Callable[[str], None]


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
    cells = pd.DataFrame({column.name: write_cells(column, table[column.name]) for column in columns}, dtype=object)
    for column in columns:
        _check_kind(column, cells[column.name])
    if spec.id is not None and spec.id.name in cells.columns:
        check_ids(cells[spec.id.name])
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
    """Refuse cells that are not numbers, dates or truth values in columns where those of train are."""
    texts = cells.str.strip()
    filled = ~texts.isin(column.missing).to_numpy()
    if column.kind in NUMBERS:
        form = f" like {column.number_format}" if column.number_format else ""
        reject(column, cells, ~_are_numbers(column, texts) & filled, f"is not a number{form}, as train has there")
    elif column.kind == "date" and not _read_dates(column, pd.Series(column.examples, dtype=object)).isna().any():
        form = f" like {column.examples[0]}" if column.examples else ""
        suit = DateForm.of(column.date_format, column.examples).suits(texts)
        wrong = (_read_dates(column, texts).isna() | ~suit).to_numpy() & filled
        reject(column, cells, wrong, f"is not a date{form}, as train has there")
    elif column.kind == "bool":
        wrong = ~texts.str.lower().isin(["true", "false"]).to_numpy() & filled
        reject(column, cells, wrong, "is not a truth value, as train has there")


def _are_numbers(column: RowColumn, texts: pd.Series) -> np.ndarray:
    """Return which cells are numbers in the style of train; 1234.5 is none where it writes 1.234,5.

    Infinite ones are none, unless train has some.
    """
    style = NumberStyle.of_text(column.number_format)
    numbers = style.read(texts)
    known = ~np.isnan(numbers) if column.infinite else np.isfinite(numbers)
    if style.decimal == ",":
        known &= ~texts.str.replace(style.grouping, "", regex=True).str.contains(".", regex=False).to_numpy()
    return np.asarray(known)


def check_ids(ids: pd.Series) -> None:
    """Refuse ids that are empty or occur twice.

    Raises:
        UserError: names one.
    """
    empty = (ids.str.strip() == "").to_numpy()
    if empty.any():
        msg = f"{ROLE}: the id {str(ids.name)!r} of row {int(empty.argmax()) + 1} is empty"
        raise UserError(msg)
    repeated = pd.Series(canonical_labels(ids)).duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"{ROLE}: the id {str(ids.iloc[row])[:60]!r} in column {str(ids.name)!r} occurs twice"
        raise UserError(msg)


def _read_dates(column: RowColumn, texts: pd.Series) -> pd.Series:
    dates: pd.Series = pd.to_datetime(texts, format=column.date_format or "mixed", errors="coerce", utc=True)
    return dates
