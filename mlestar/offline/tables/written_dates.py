"""Dates that the column statistics do not recognize: only digits, with the name of the month, or quarters."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import product

from mlestar.data.statistics import ColumnStatistics
from mlestar.evaluation.holdout.clock import TIME_WORDS, name_words

QUARTER = "%Y-%m"
"""Scripts read a quarter as its first month, which has this format."""
_IS_QUARTER = re.compile(r"(?:19|20)\d{2}[- ]?Q[1-4]")
_DIGITS = {6: ("%Y%m", 28 * 24), 8: ("%Y%m%d", 24), 10: ("%Y%m%d%H", 1)}
"""By the number of digits: the format, and the least number of hours between two different values."""
_YEARS = (1900, 2100)
"""First year in which digits may be a date, and the first one in which they may not. Chosen by judgement; not
measured."""
_WORDED = ("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%b %Y", "%b-%Y", "%b-%y", "%Y-%b", "%Y %b")
_TIMES = ("", " %H:%M", " %H:%M:%S")
_FORMATS = (
    "%Y-%j",
    "%m/%Y",
    *(day + time for day, time in product(_WORDED, _TIMES)),
    *(day.replace("%b", "%B") + time for day, time in product(_WORDED, _TIMES)),
    "%a %b %d %H:%M:%S %Y",
)


def find_format(column: ColumnStatistics) -> str:
    """Return the format of the dates in a column; empty where the cells are not dates, or need no format."""
    if column.kind == "int":
        return _find_digits(column)
    values = [value.strip() for value in column.examples]
    if not values or column.kind not in ("id", "category", "text"):
        return ""
    if all(_IS_QUARTER.fullmatch(value) for value in values):
        return QUARTER
    return next((date_format for date_format in _FORMATS if _are_read(values, date_format)), "")


def _find_digits(column: ColumnStatistics) -> str:
    """Return the format of dates that are only digits, such as 20170308, in a column that is named like a time."""
    low, high = column.minimum or "", column.maximum or ""
    if len(low) not in _DIGITS or not name_words(column.name) & TIME_WORDS:
        return ""
    date_format, least = _DIGITS[len(low)]
    if not _are_read([low, high, *column.examples], date_format):
        return ""
    first, last = (datetime.strptime(value, date_format) for value in (low, high))
    hours = (last - first).total_seconds() / 3600
    # Dates have at most as many different values as there are hours, days or months in their range.
    return date_format if column.distinct <= 1 + hours / least else ""


def is_quarter(column: ColumnStatistics) -> bool:
    return bool(column.examples) and all(_IS_QUARTER.fullmatch(value.strip()) for value in column.examples)


def _are_read(values: Sequence[str], date_format: str) -> bool:
    try:
        return all(_YEARS[0] <= datetime.strptime(value, date_format).year < _YEARS[1] for value in values)
    except ValueError:
        return False
