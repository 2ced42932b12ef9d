"""Reading points in time from text cells."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.written_dates import READABLE_SHARE, mostly, parse_dates, read_dates

DAY_SECONDS = 86_400.0
TIME_WORDS = {"date", "datetime", "time", "timestamp", "day", "week", "month", "quarter", "year", "hour", "minute"}
TIME_WORDS |= {"second", "period", "step", "tick", "season", "round", "epoch", "t", "ts", "dt", "unix", "elapsed"}
TIME_WORDS |= {"days", "weeks", "months", "quarters", "years", "hours", "minutes", "mins", "seconds", "secs", "when"}
TIME_WORDS |= {"yr", "yrs", "mnth", "mth", "wk", "wks", "hr", "hrs", "datum", "zeit", "zeitpunkt", "tag", "woche"}
TIME_WORDS |= {"monat", "jahr", "stunde", "fecha", "hora", "dia", "mes", "jour", "mois", "annee", "heure", "semaine"}
TIME_WORDS |= {"zeitstempel", "uhrzeit", "quartal", "trimestre", "semana", "giorno", "mese", "anno"}
ID_WORDS = {"id", "ids", "no", "nr", "num", "number", "code", "key", "index", "idx", "row", "group", "subject"}
ID_WORDS |= {"patient", "user", "speaker", "customer"}

_DATE_INSIDE = re.compile(r"(?<!\d)((?:19|20)\d{2})[-_/.]?([01]\d)[-_/.]?([0-3]\d)(?:[-_T ]?([01]\d|2[0-3]))?(?!\d)")
_WORDED_DATE = re.compile(
    r"\b(\d{1,2}(?:st|nd|rd|th)?[ /-][A-Z][a-z]{2,8}\.?[ ,/-]+(?:19|20)\d{2}"
    r"|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2})\b"
)
_PLAIN_DATE = re.compile(r"(?<![\d./])(\d{1,2}[./]\d{1,2}[./](?:(?:19|20)\d{2}|\d{2}))(?!\d|[./]\d)")
_WHOLE = re.compile(r"[+-]?\d{1,15}(\.0*)?")
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d*)?")

# The limits below were chosen by judgement; none was measured.
_SAMPLE_CELLS = 500
"""Cells on which formats are tried."""
_MIN_SAMPLE = 50
"""Filled cells below which the sample of a mostly empty column is drawn again from those that are filled."""
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


def read_clock(name: str, cells: pd.Series, *, decimals: bool = False) -> Clock | None:
    """Read a column of dates, or of numbers that can count time; None when it is neither.

    Numbers with fractions count time in a column that is named like a time, and in any with `decimals`.
    """
    sample = sample_cells(cells)
    if not sample:
        return None
    if (seconds := read_dates(cells, sample)) is not None:
        return Clock(seconds, dates=True)
    if mostly(_DECIMAL if decimals or name_words(name) & TIME_WORDS else _WHOLE, sample):
        return _read_counter(name, read_numbers(cells))
    return None


def read_numbers(cells: pd.Series) -> np.ndarray:
    """Read cells as numbers; NaN where a cell is empty or none."""
    try:
        # Several times faster than pandas on short columns, of which a wide table has thousands.
        return np.array([float(cell) if cell else np.nan for cell in cells.tolist()])
    except ValueError:
        return pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy(dtype=float)


def sample_cells(cells: pd.Series, count: int = _SAMPLE_CELLS) -> list[str]:
    """Return some filled cells at equal distances, without blanks around them."""
    step = max(1, len(cells) // count)
    sample = [text for cell in cells.iloc[::step].tolist() if (text := cell.strip())]
    if step == 1 or len(sample) >= _MIN_SAMPLE:
        return sample
    filled = cells[cells != ""]
    return [text for cell in filled.iloc[:: max(1, len(filled) // count)].tolist() if (text := cell.strip())]


def read_embedded_dates(cells: pd.Series) -> Clock | None:
    """Read the dates inside longer texts, such as ids."""
    groups = cells.str.extract(_DATE_INSIDE)
    if groups[0].notna().mean() < READABLE_SHARE:
        return None
    # Two digits after only some of the dates are a running number, not an hour.
    hours = groups[3] if groups[3].notna().mean() >= READABLE_SHARE else "00"
    texts = groups[0] + "-" + groups[1] + "-" + groups[2] + " " + hours
    return _dates(parse_dates(texts.fillna(""), "%Y-%m-%d %H"))


def read_written_dates(cells: pd.Series) -> Clock | None:
    """Read the first date of each longer text: with the month in words, or with the day or the month first."""
    texts = cells.str.extract(_WORDED_DATE, expand=False)
    if texts.notna().mean() >= READABLE_SHARE:
        plain = texts.str.replace(r"(?<=\d)(?:st|nd|rd|th)|[.,]", "", regex=True).str.replace(r"[/-]", " ", regex=True)
        plain = plain.str.replace(r"([A-Za-z]{3})[a-z]*", r"\1", regex=True).str.split().str.join(" ")
        day_first = plain.str.replace(r"^([A-Za-z]+) (\d+)", r"\2 \1", regex=True)
        return _dates(parse_dates(day_first.fillna(""), "%d %b %Y"))
    texts = cells.str.extract(_PLAIN_DATE, expand=False)
    if texts.notna().mean() < READABLE_SHARE:
        return None
    return read_clock("", texts.fillna(""))


def _read_counter(name: str, values: np.ndarray) -> Clock:
    """Read a counter; seconds or milliseconds since 1970 are dates where the column is named like a time."""
    if name_words(name) & {"time", "timestamp", "epoch", "unix", "date", "datetime", "ts", "when"}:
        for scale in (1.0, 1e3):
            if np.nanmin(values) > _FIRST_UNIX * scale and np.nanmax(values) < _LAST_UNIX * scale:
                return Clock(values / scale, dates=True)
    return Clock(values, dates=False)


def _dates(seconds: np.ndarray | None) -> Clock | None:
    return None if seconds is None else Clock(seconds, dates=True)
