"""Which part of a cell names its group or its time."""

import re
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.holdout.clock import DAY_SECONDS, Clock, read_clock, read_embedded_dates, read_written_dates

CellPart = Literal["before_first", "before_last", "leading_digits", "token", "day", "date", "written_date", "number"]
"""`token` is one of the parts between separators; `day` is the day of a cell that is a time; `date` is the date inside
a longer text, in digits and with the year first, and `written_date` one in another form; `number` is the last number of
the cell."""

SEPARATORS = "_-/|:. "
_TOKENS = rf"[{re.escape(SEPARATORS)}]+"


class SplitRule(BaseModel):
    """The part of a cell that names the group or the time of its row, where the whole cell does not."""

    model_config = ConfigDict(frozen=True)

    part: CellPart
    separator: str = ""
    """What `before_first` and `before_last` look for."""
    index: int = 0
    """Which `token`, counted from 0; negative from the end, where -1 is the last."""

    def __str__(self) -> str:
        place = self.index + 1 if self.index >= 0 else -self.index
        phrases: dict[CellPart, str] = {
            "before_first": f"text before the first {self.separator!r}",
            "before_last": f"text before the last {self.separator!r}",
            "leading_digits": "leading digits",
            "token": f"part {place} of the text{'' if self.index >= 0 else ' from its end'}",
            "day": "day",
            "date": "date within the text",
            "written_date": "date within the text",
            "number": "last number of the text",
        }
        return phrases[self.part]

    @property
    def code(self) -> str:
        """Return the pandas expression by which a script applies the rule to the column `cells`."""
        date = r'cells.str.extract(r"((?:19|20)\d{2}[-_/.]?[01]\d[-_/.]?[0-3]\d)", expand=False).fillna("")'
        written = (
            r'cells.str.extract(r"(\d{1,2}(?:st|nd|rd|th)?[ /-][A-Z][a-z]{2,8}\.?[ ,/-]+\d{4}'
            r"|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}"
            r'|\d{1,2}[./]\d{1,2}[./]\d{2,4})", expand=False).fillna("")'
        )
        expressions: dict[CellPart, str] = {
            "before_first": f"cells.str.split({self.separator!r}, n=1, regex=False).str[0]",
            "before_last": f"cells.str.rsplit({self.separator!r}, n=1).str[0]",
            "leading_digits": r'cells.str.extract(r"^(\d+)", expand=False).fillna("")',
            "token": f'cells.str.split(r"{_TOKENS}", regex=True).str[{self.index}].fillna("")',
            "day": "cells.str[:10]",
            "date": date,
            "written_date": written,
            "number": r'cells.str.extract(r"(\d+)\D*$", expand=False).fillna("")',
        }
        return expressions[self.part]

    def apply(self, column: str, cells: pd.Series) -> pd.Series:
        """Return the group of each cell, empty where it names none."""
        match self.part:
            case "before_first":
                return cells.str.split(self.separator, n=1, regex=False).str[0]
            case "before_last":
                return cells.str.rsplit(self.separator, n=1).str[0]
            case "leading_digits":
                return cells.str.extract(r"^(\d+)\D", expand=False).fillna("")
            case "token":
                return cells.str.split(_TOKENS, regex=True).str[self.index].fillna("")
            case "number":
                return _last_number(cells)
            case "day" | "date" | "written_date":
                return _days(self.read_clock(column, cells), cells.index)

    def read_clock(self, column: str, cells: pd.Series) -> Clock | None:
        """Read the cells as points in time; None where they are none."""
        match self.part:
            case "date":
                return read_embedded_dates(cells)
            case "written_date":
                return read_written_dates(cells)
            case "number":
                return read_clock(column, _last_number(cells))
            case "token":
                return read_clock(column, self.apply(column, cells))
            case _:
                return read_clock(column, cells)


def group_names(column: str, cells: pd.Series, rule: SplitRule | None) -> pd.Series:
    """Return the group of each cell: the whole cell without a rule; empty where a cell names none."""
    return cells if rule is None else rule.apply(column, cells)


def column_clock(column: str, cells: pd.Series, rule: SplitRule | None, *, decimals: bool = False) -> Clock | None:
    """Read the cells, or the part that a rule names, as points in time; None where they are none."""
    return read_clock(column, cells, decimals=decimals) if rule is None else rule.read_clock(column, cells)


def row_names(frame: pd.DataFrame, columns: tuple[str, ...], rule: SplitRule | None) -> pd.Series:
    """Return the name of each row's group, which one column or several together give; empty where a cell is empty."""
    if len(columns) == 1:
        return group_names(columns[0], frame[columns[0]], rule)
    joined = frame[columns[0]]
    for column in columns[1:]:
        joined = joined.str.cat(frame[column], sep="|")
    return joined.where((frame[list(columns)] != "").all(axis=1), "")


def _last_number(cells: pd.Series) -> pd.Series:
    return cells.str.extract(r"(\d+)\D*$", expand=False).fillna("")


def _days(clock: Clock | None, index: pd.Index) -> pd.Series:
    """Return the number of each cell's day as text."""
    days = np.full(len(index), np.nan) if clock is None else np.floor(clock.values / DAY_SECONDS)
    return pd.Series(days, index=index).map(lambda day: "" if np.isnan(day) else str(int(day)))
