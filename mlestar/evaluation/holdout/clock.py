"""Reading points in time from text cells."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

DAY_SECONDS = 86_400.0
TIME_WORDS = {"date", "datetime", "time", "timestamp", "day", "week", "month", "quarter", "year", "hour", "minute"}
TIME_WORDS |= {"second", "period", "step", "tick", "season", "round", "epoch", "t", "ts", "dt", "unix"}
ID_WORDS = {"id", "ids", "no", "nr", "num", "number", "code", "key", "index", "idx", "row", "group", "subject"}
ID_WORDS |= {"patient", "user", "speaker", "customer"}

_DATE_FORMATS = (
    (r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?", "ISO8601"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}", "%Y/%m/%d %H:%M"),
    (r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S"),
    (r"\d{8}", "%Y%m%d"),
    (r"\d{14}Z?", "%Y%m%d%H%M%S"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%d/%m/%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}", "%m/%d/%Y %H:%M"),
    (r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}", "%d/%m/%Y %H:%M"),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (r"\d{1,2}\.\d{1,2}\.\d{4} \d{1,2}:\d{2}", "%d.%m.%Y %H:%M"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%d-%m-%Y"),
    (r"\d{4}-\d{2}", "%Y-%m"),
    (r"\d{1,2}[ -][A-Za-z]{3}[ -]\d{4}", "%d %b %Y"),
    (r"[A-Za-z]{3} \d{1,2}, \d{4}", "%b %d, %Y"),
)
_DATE_INSIDE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_/.]?([01]\d)[-_/.]?([0-3]\d)(?:[-_T ]?([01]\d|2[0-3]))?(?!\d)")
_WHOLE = re.compile(r"[+-]?\d{1,15}(\.0*)?")
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d*)?")

# The limits below were chosen by judgement; none was measured.
_READABLE_SHARE = 0.99
"""Share of the filled cells that one format must read."""
_SAMPLE_CELLS = 500
"""Cells on which formats are tried."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
"""Dates outside these years are placeholders, such as 9999."""
_FIRST_UNIX, _LAST_UNIX = 3e8, 4.2e9
"""Seconds since 1970 that a timestamp may have: July 1979 to February 2103."""


@dataclass(frozen=True)
class Clock:
    """A column read as points in time."""

    values: np.ndarray
    """Seconds since 1970 for dates, the numbers themselves for counters; NaN where the cell is empty or unreadable."""
    dates: bool

    def format_time(self, value: float) -> str:
        if not self.dates:
            return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
        moment = pd.Timestamp(value, unit="s")
        return moment.strftime("%Y-%m-%d" if value % DAY_SECONDS == 0 else "%Y-%m-%d %H:%M")

    def format_length(self, width: float) -> str:
        if not self.dates:
            return f"{width:g} steps"
        if width < 3 * DAY_SECONDS:
            return f"{width / 3600:.0f} hours"
        if width < 90 * DAY_SECONDS:
            return f"{width / DAY_SECONDS:.0f} days"
        return f"{width / (DAY_SECONDS * 30.44):.1f} months"


def name_words(name: str) -> set[str]:
    """Split a column name at case changes and punctuation."""
    separated = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return set(re.findall(r"[a-z]+", separated.lower()))


def read_clock(name: str, cells: pd.Series) -> Clock | None:
    """Read a column of dates, or of numbers that can count time; None when it is neither.

    Numbers with fractions count time only in a column that is named like a time.
    """
    filled = cells[cells != ""].str.strip()
    if filled.empty:
        return None
    sample = filled.iloc[:: max(1, len(filled) // _SAMPLE_CELLS)]
    for pattern, date_format in _DATE_FORMATS:
        if sample.str.fullmatch(pattern).mean() < _READABLE_SHARE:
            continue
        if (clock := _parse_dates(cells, date_format)) is not None:
            return clock
    number = _DECIMAL if name_words(name) & TIME_WORDS else _WHOLE
    if sample.str.fullmatch(number.pattern).mean() >= _READABLE_SHARE:
        return _read_counter(name, pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy(dtype=float))
    return None


def read_embedded_dates(cells: pd.Series) -> Clock | None:
    """Read the dates inside longer texts, such as ids."""
    groups = cells.str.extract(_DATE_INSIDE)
    if groups[0].notna().mean() < _READABLE_SHARE:
        return None
    # Two digits after only some of the dates are a running number, not an hour.
    hours = groups[3] if groups[3].notna().mean() >= _READABLE_SHARE else "00"
    texts = groups[0] + "-" + groups[1] + "-" + groups[2] + " " + hours
    return _parse_dates(texts.fillna(""), "%Y-%m-%d %H")


def _read_counter(name: str, values: np.ndarray) -> Clock:
    """Read a counter; seconds or milliseconds since 1970 are dates where the column is named like a time."""
    if name_words(name) & {"time", "timestamp", "epoch", "unix", "date", "datetime", "ts"}:
        for scale in (1.0, 1e3):
            if np.nanmin(values) > _FIRST_UNIX * scale and np.nanmax(values) < _LAST_UNIX * scale:
                return Clock(values / scale, dates=True)
    return Clock(values, dates=False)


def _parse_dates(cells: pd.Series, date_format: str) -> Clock | None:
    texts = cells.str.strip().str.removesuffix("Z")
    if date_format == "%d %b %Y":
        texts = texts.str.replace("-", " ")
    moments = pd.to_datetime(texts.where(texts != ""), format=date_format, errors="coerce", utc=True)
    valid = moments.dt.year.between(_FIRST_YEAR, _LAST_YEAR).to_numpy()
    if valid[(texts != "").to_numpy()].mean() < _READABLE_SHARE:
        return None
    seconds = moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("int64") / 1e6
    return Clock(np.where(valid, seconds, np.nan), dates=True)
