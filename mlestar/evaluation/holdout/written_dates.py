"""Reading cells that are dates as a whole, in the forms in which people write them."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from mlestar.data.tables.dates import find_date_format

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
"""Dates outside these years are placeholders, such as 9999."""
READABLE_SHARE = 0.99
"""Share of the filled cells that one format must read. Chosen by judgement; not measured."""


def _with_blanks(cells: pd.Series) -> pd.Series:
    """Return dates with months in words as `08 Mar 2017`, `Mar 2017` or `Mar 08 02:02:46 2017`."""
    parts = cells.str.replace(r"^[A-Z][a-z]{2} (?=[A-Z])| [+-]\d{4}(?= )|['\u2019,.]", " ", regex=True)
    months = parts.str.replace(r"([A-Za-z]{3})[a-z]*", r"\1", regex=True)
    return months.str.replace("-", " ").str.split().str.join(" ")


def _with_hyphens(cells: pd.Series) -> pd.Series:
    """Return dates that begin with the year as `2017-03-08`."""
    return cells.str.replace(r"[\u5e74\u6708/.]", "-", regex=True).str.removesuffix("\u65e5")


def _first_months(cells: pd.Series) -> pd.Series:
    """Return quarters as their first month: `2017-Q2` is `2017-04`."""
    parts = cells.str.extract(r"^(\d{4})\D*([1-4])$")
    months = (pd.to_numeric(parts[1], errors="coerce") * 3 - 2).map("{:02.0f}".format, na_action="ignore")
    return parts[0].str.cat(months, sep="-").fillna("")


def _mondays(cells: pd.Series) -> pd.Series:
    """Return weeks as their Monday in the form that `%G-%V-%u` reads."""
    return cells.str.replace(r"^(\d{4})-?W(\d{2})$", r"\1-\2-1", regex=True)


_YEAR = r"(?:19|20)\d{2}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_NAME = r"[A-Za-z]{3,9}\.?"
_FORMATS: tuple[tuple[re.Pattern[str], str, Callable[[pd.Series], pd.Series] | None], ...] = tuple(
    (re.compile(pattern), date_format, change)
    for pattern, date_format, change in (
        (r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?", "ISO8601", None),
        (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d", None),
        (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}", "%Y/%m/%d %H:%M", None),
        (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S", None),
        (r"\d{8}", "%Y%m%d", None),
        (r"\d{14}Z?", "%Y%m%d%H%M%S", None),
        (rf"{_YEAR}{_MONTH}[0-3]\d(?:[01]\d|2[0-3])", "%Y%m%d%H", None),
        (rf"{_YEAR}{_MONTH}", "%Y%m", None),
        (r"\d{4}-\d{2}", "%Y-%m", None),
        (rf"{_YEAR}-\d{{3}}", "%Y-%j", None),
        (rf"{_YEAR}[/.]\d{{1,2}}|\d{{4}}\u5e74\d{{1,2}}\u6708\d{{1,2}}\u65e5", "ISO8601", _with_hyphens),
        (rf"\d{{1,2}}/{_YEAR}", "%m/%Y", None),
        (rf"{_YEAR}[- ]?Q[1-4]", "%Y-%m", _first_months),
        (rf"{_YEAR}-?W\d{{2}}", "%G-%V-%u", _mondays),
        (rf"\d{{1,2}}[ -]{_NAME}[ -]\d{{4}}", "%d %b %Y", _with_blanks),
        (rf"\d{{1,2}}[ -]{_NAME}[ -]\d{{2}}", "%d %b %y", _with_blanks),
        (rf"{_NAME} \d{{1,2}}, \d{{4}}", "%b %d %Y", _with_blanks),
        (rf"{_NAME}[- ,]+{_YEAR}", "%b %Y", _with_blanks),
        (rf"{_NAME}[- '\u2019]+\d{{2}}", "%b %y", _with_blanks),
        (
            r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2}(?: [+-]\d{4})? \d{4}",
            "%b %d %H:%M:%S %Y",
            _with_blanks,
        ),
    )
)
_NUMBERS = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?")


def read_dates(cells: pd.Series, sample: list[str]) -> np.ndarray | None:
    """Read cells as seconds since 1970, NaN where one is empty or unreadable; None where they are no dates.

    Args:
        cells: the cells of a column.
        sample: some of its filled cells, on which formats are tried.
    """
    for pattern, date_format, change in _FORMATS:
        if mostly(pattern, sample):
            seconds = parse_dates(cells if change is None else change(cells.str.strip()), date_format)
            if seconds is not None:
                return seconds
    if mostly(_NUMBERS, sample):
        return _parse_numbers(cells)
    return None


def mostly(pattern: re.Pattern[str], sample: list[str]) -> bool:
    """Return whether a pattern matches nearly all cells as a whole; stops at the first few that differ."""
    allowed = (1 - READABLE_SHARE) * len(sample)
    for cell in sample:
        if pattern.fullmatch(cell) is None:
            allowed -= 1
            if allowed < 0:
                return False
    return True


def parse_dates(cells: pd.Series, date_format: str) -> np.ndarray | None:
    """Read cells by one format as seconds since 1970; None where it reads too few of them."""
    texts = cells.str.strip().str.removesuffix("Z")
    moments = pd.to_datetime(texts.where(texts != ""), format=date_format, errors="coerce", utc=True)
    valid = moments.dt.year.between(_FIRST_YEAR, _LAST_YEAR).to_numpy()
    filled = (texts != "").to_numpy()
    if not filled.any() or valid[filled].mean() < READABLE_SHARE:
        return None
    seconds = moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("int64") / 1e6
    return np.where(valid, seconds, np.nan)


def _parse_numbers(cells: pd.Series) -> np.ndarray | None:
    """Read dates that begin with the day or the month, whichever the whole column allows."""
    texts = cells.str.strip()
    dates = texts.where(texts.map(lambda text: _NUMBERS.fullmatch(text) is not None), "")
    if (dates != "").sum() < READABLE_SHARE * (texts != "").sum():
        return None
    date_format = find_date_format(dates[dates != ""].unique())
    return None if date_format is None else parse_dates(dates, date_format.text)
