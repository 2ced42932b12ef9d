"""The values of a frame as the cells of the task's own files hold them.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import datetime
import json
import numbers
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.kinds import MISSING, ColumnKind
from mlestar.data.tables.numbers import NumberStyle
from mlestar.errors import UserError
from mlestar.predictor.date_cells import DateForm

ROLE = "new rows"
"""What messages call the frame."""
NUMBERS: tuple[ColumnKind, ...] = ("int", "float")
TRUTHS = (("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("t", "f"), ("on", "off"))
"""Pairs of texts that stand for true and false."""
_SHOWN = 60
"""Characters of a value that a message repeats."""


class RowColumn(BaseModel):
    """A column that new rows must have."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    number_format: str = ""
    """How the number 1234.5 is written; empty for plain numbers."""
    date_format: str = ""
    """For `strftime`; empty for dates that begin with the year."""
    digits: int = 0
    """Digits of every code, where some begin with zeros; 0 elsewhere. Whoever reads such codes as numbers loses the
    zeros."""
    infinite: bool = False
    """Some numbers of train are infinite."""
    missing_codes: tuple[str, ...] = ()
    """Cells that stand for missing values."""
    examples: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Every cell that stands for a missing value."""
        return (*MISSING, *self.missing_codes)


def write_cells(column: RowColumn, values: pd.Series) -> pd.Series:
    """Return the values of a column as text, empty where they are missing.

    Raises:
        UserError: a value has no place in the column; the message names it.
    """
    values = _plain(values)
    missing = values.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(values):
        texts = _write_dates(column, values).tolist()
    else:
        write = _writer(column)
        texts = ["" if lacks else write(value) for value, lacks in zip(values.tolist(), missing, strict=True)]
    cells = pd.Series(texts, dtype=object, name=column.name).mask(missing, "")
    _check_characters(column, cells)
    return cells


def reject(column: RowColumn, cells: pd.Series, wrong: np.ndarray, why: str) -> None:
    """Refuse a column if one of its cells is wrong.

    Raises:
        UserError: with the first such row.
    """
    if wrong.any():
        row = int(wrong.argmax())
        more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
        shown = str(cells.iloc[row])[:_SHOWN]
        msg = f"{ROLE}: column {column.name!r}, row {row + 1}: {shown!r} {why}{more}"
        raise UserError(msg)


def _plain(values: pd.Series) -> pd.Series:
    """Return categories as their values, and dates of whatever type as those of pandas."""
    if isinstance(values.dtype, pd.CategoricalDtype | pd.SparseDtype | pd.ArrowDtype):
        values = values.astype(object)
    if values.dtype != object:
        return values
    filled = values.dropna()
    if not len(filled) or not filled.map(lambda value: isinstance(value, datetime.date)).all():
        return values
    zones = {getattr(value, "tzinfo", None) is not None for value in filled}
    if len(zones) > 1:
        return values
    return pd.Series(pd.to_datetime(values, errors="coerce", utc=zones.pop()), name=values.name)


def _write_dates(column: RowColumn, values: pd.Series) -> pd.Series:
    try:
        return DateForm.of(column.date_format, column.examples).write(values)
    except ValueError as error:
        msg = f"{ROLE}: column {column.name!r} {error}"
        raise UserError(msg) from None


def _writer(column: RowColumn) -> Any:
    """Return the function that writes a value of a column."""
    truths = _truth_values(column)
    style = NumberStyle.of_text(column.number_format) if column.kind in NUMBERS and column.number_format else None

    def write(value: Any) -> str:
        if isinstance(value, bool | np.bool_):
            return _write_truth(column, truths, bool(value))
        if isinstance(value, list | dict | tuple | np.ndarray):
            return json.dumps(value, ensure_ascii=False, default=_as_json)
        text = _write_number(column, value) if isinstance(value, numbers.Number) else str(value)
        if isinstance(value, datetime.timedelta):
            text = str(pd.Timedelta(value).to_pytimedelta())
        if style is not None and isinstance(value, numbers.Number):
            text = f"{style.before}{text.replace('.', style.decimal)}{style.after}"
        return _spell_truth(truths, text) if column.kind == "bool" else text

    return write


def _write_number(column: RowColumn, value: Any) -> str:
    text = str(value)
    if isinstance(value, float | np.floating) and column.kind != "float" and text not in column.examples:
        text = str(int(value)) if float(value).is_integer() else text
    return text.zfill(column.digits) if text.isdigit() else text


def _as_json(value: Any) -> Any:
    """Return a value of NumPy or pandas as JSON has it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def _truth_values(column: RowColumn) -> dict[bool, str]:
    """Return how a column spells truth values; nothing where it has none."""
    if column.kind in NUMBERS:
        return {True: "1", False: "0"}
    spelled = {text.strip().lower(): text.strip() for text in column.examples}
    if column.kind in ("bool", "empty"):
        case = next(iter(spelled.values()), "True")
        change = str.upper if case.isupper() else str.lower if case.islower() else str.capitalize
        return {value: spelled.get(str(value).lower(), change(str(value))) for value in (True, False)}
    pair = next(((true, false) for true, false in TRUTHS if true in spelled and false in spelled), None)
    return {} if pair is None else {True: spelled[pair[0]], False: spelled[pair[1]]}


def _write_truth(column: RowColumn, truths: dict[bool, str], value: bool) -> str:
    if not truths:
        such = f" such as {column.examples[0][:_SHOWN]!r}" if column.examples else ""
        msg = f"{ROLE}: column {column.name!r} holds the truth value {value}, and train has other values there{such}"
        raise UserError(msg)
    return truths[value]


def _spell_truth(truths: dict[bool, str], text: str) -> str:
    """Return a truth value that is written in another way as train spells it, and any other text as it is."""
    plain = text.strip().lower()
    if text.strip() in truths.values():
        return text
    known = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
    return truths[known[plain]] if plain in known else text


def _check_characters(column: RowColumn, cells: pd.Series) -> None:
    """Refuse halves of surrogate pairs, which no file can hold."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        wrong = cells.map(lambda cell: any("\ud800" <= mark <= "\udfff" for mark in cell)).to_numpy(dtype=bool)
        reject(column, cells, wrong, "has a character that UTF-8 does not have")
