"""The order of day and month in a column of dates, decided over the whole column."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

_NUMERIC = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
    r"(?P<time>[ T]\d{1,2}:\d{2}(?P<seconds>:\d{2})?)?"
)
_HEAD = 50
"""Cells that are looked at before all of a column are. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class DateFormat:
    """How the dates of a column are written."""

    text: str
    """For `strptime`, such as `%d.%m.%Y`."""
    guess: str = ""
    """Why another order is possible too; empty when it is not."""


def find_date_format(values: Iterable[str]) -> DateFormat | None:
    """Return the format of dates that begin with the day or the month; None for others, which have one reading.

    Args:
        values: the cells of a column that are not missing, or its different values.
    """
    cells = pd.Series(list(values), dtype=object).astype(str).str.strip()
    if cells.empty or not all(_NUMERIC.fullmatch(cell) for cell in cells.iloc[:_HEAD]):
        return None
    parts = cells.str.extract(_NUMERIC.pattern.join(("^", "$")))
    if parts["first"].isna().any() or len(parts["mark"].unique()) > 1 or len(parts["year"].str.len().unique()) > 1:
        return None
    if 0 < parts["time"].isna().mean() < 1:
        return None
    mark = str(parts["mark"].iloc[0])
    first, second = (parts[name].astype(int).to_numpy() for name in ("first", "second"))
    day_first, guess = _is_day_first(first, second, mark)
    if day_first is None:
        return None
    order = ("%d", "%m") if day_first else ("%m", "%d")
    year = "%Y" if len(parts["year"].iloc[0]) == 4 else "%y"
    return DateFormat(mark.join((*order, year)) + _time_format(parts), guess)


def _is_day_first(first: np.ndarray, second: np.ndarray, mark: str) -> tuple[bool | None, str]:
    """Return whether the day comes first, None when neither order is possible, and the doubt about it."""
    possible = {True: bool((second <= 12).all() and (first <= 31).all())}
    possible[False] = bool((first <= 12).all() and (second <= 31).all())
    if not any(possible.values()):
        return None, ""
    if not all(possible.values()) or mark == ".":
        return possible[True], ""
    # Points are never written month first; of the other marks, only the slash commonly is.
    usual = mark != "/"
    if (first == second).all():
        return usual, ""
    return usual, f"no day is above 12; the {'day' if usual else 'month'} is taken for the first part"


def _time_format(parts: pd.DataFrame) -> str:
    """Return the format of the time of day; empty where no cell has one."""
    time = parts["time"].dropna()
    if time.empty:
        return ""
    return f"{time.iloc[0][0]}%H:%M" + ":%S" * bool(parts["seconds"].notna().any())
