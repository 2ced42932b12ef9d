"""Points in time that several columns give together: year and month, and day, hour and minute."""

import re

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.clock import DAY_SECONDS, Clock, name_words

_UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute")
_NAMES = {
    "year": {"year", "yr", "yyyy", "jahr", "annee", "anio", "anno"},
    "quarter": {"quarter", "qtr", "quartal", "trimestre"},
    "month": {"month", "mon", "mth", "mnth", "mo", "mm", "monat", "mois", "mes", "mese"},
    "week": {"week", "wk", "weeknumber", "woche", "kw", "semaine", "semana"},
    "day": {"day", "dom", "dd", "tag", "jour", "dia", "giorno"},
    "hour": {"hour", "hr", "hh", "stunde", "heure", "hora", "ora"},
    "minute": {"minute", "minutes"},
}
_OTHER_DAYS = {"weekday", "name", "type", "holiday", "working", "is", "dow", "number", "count", "num", "sin", "cos"}
"""Words beside which `day` or `month` is a property of the day, or a count."""
_RANGES = {"quarter": (1, 4), "month": (1, 12), "week": (0, 53), "day": (0, 366), "hour": (0, 24), "minute": (0, 59)}
_SECONDS = {"quarter": 91.3125 * DAY_SECONDS, "week": 7 * DAY_SECONDS, "day": DAY_SECONDS, "hour": 3600.0}
_SECONDS |= {"minute": 60.0}
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
"""Years outside these are no calendar years."""
_READABLE_SHARE = 0.99
"""Share of rows in which every part must be readable. Chosen by judgement; not measured."""


def calendar_columns(columns: list[str]) -> list[tuple[str, ...]]:
    """Return the ways in which columns named after units of time give a time together, coarse unit first.

    Columns belong together when their names differ in the unit alone: `sale_year` and `sale_month`.
    """
    families: dict[frozenset[str], dict[str, str]] = {}
    for column in columns:
        if (unit := unit_of(column)) is not None:
            rest = frozenset(name_words(column) - _NAMES[unit])
            families.setdefault(rest, {}).setdefault(unit, column)
    families = {rest: units for rest, units in families.items() if "year" in units or "month" in units}
    ways = [tuple(units[unit] for unit in _UNITS if unit in units) for units in families.values()]
    return [way for way in ways if len(way) > 1]


def unit_of(column: str) -> str | None:
    """Return the unit of time that a column is named after."""
    words = name_words(column)
    if words & _OTHER_DAYS:
        return None
    units = [unit for unit in _UNITS if words & _NAMES[unit]]
    return units[0] if len(units) == 1 else None


def read_calendar(frame: pd.DataFrame, columns: tuple[str, ...]) -> Clock | None:
    """Read columns of units of time as points in time; None where they are none."""
    parts = {unit_of(column) or "": _read_part(frame[column], unit_of(column)) for column in columns}
    year = parts.get("year", np.full(len(frame), 2000.0))
    readable = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    for unit, (low, high) in _RANGES.items():
        if unit in parts:
            readable &= (parts[unit] >= low) & (parts[unit] <= high)
    if not len(frame) or readable.mean() < _READABLE_SHARE:
        return None
    months = (np.where(readable, year, 1970) - 1970) * 12
    if "month" in parts:
        months += np.where(readable, parts["month"], 1) - 1
    seconds = months.astype(np.int64).astype("datetime64[M]").astype("datetime64[s]").astype(np.int64).astype(float)
    for unit, length in _SECONDS.items():
        if unit in parts:
            first = 0 if unit in ("hour", "minute") else 1
            seconds += (np.where(readable, parts[unit], first) - first) * length
    return Clock(np.where(readable, seconds, np.nan), dates=True)


def _read_part(cells: pd.Series, unit: str | None) -> np.ndarray:
    numbers = pd.to_numeric(cells.str.strip(), errors="coerce")
    if unit == "month" and numbers.isna().mean() > 1 - _READABLE_SHARE:
        names = cells.str.strip().str[:3].str.title()
        numbers = pd.to_datetime(
            names.where(names.str.fullmatch(re.compile("[A-Z][a-z]{2}"))), format="%b", errors="coerce"
        ).dt.month
    return np.asarray(numbers, dtype=float)
