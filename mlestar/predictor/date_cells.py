"""How the dates of a column are written, from its format or from examples that begin with the year.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

_ZONE = re.compile(r"\s?(?:Z|[+-]\d{2}:?\d{2})$")
_YEAR_FIRST = re.compile(
    r"\d{4}(?P<first>[-/.]?)\d{1,2}(?:(?P<second>[-/.]?)(?P<day>\d{1,2}))?"
    r"(?P<time>(?P<mark>[T ]?)\d{1,2}(?P<colon>:?)\d{2}(?P<seconds>:?\d{2}(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>\s?(?:Z|[+-]\d{2}:?\d{2}))?"
)


@dataclass(frozen=True)
class DateForm:
    """How the dates of a column are written."""

    format: str = ""
    """For `strftime`, without fractions of a second and zone; empty where nothing shows it."""
    fraction: int = 0
    """Digits of fractions of a second."""
    zone: str | None = None
    """The offset from UTC as it is written, such as `Z`; empty where times have none, None where nothing shows it."""
    example: str = ""

    @classmethod
    def of(cls, date_format: str, examples: Sequence[str]) -> "DateForm":
        """Return the form that a format has, or the longest one of examples that begin with the year."""
        if date_format:
            return cls(date_format, zone="", example=next(iter(examples), ""))
        matches = [match for text in examples if (match := _YEAR_FIRST.fullmatch(text.strip()))]
        if not matches or len(matches) < len(examples):
            return cls()
        parts = max(matches, key=lambda match: len(match[0]))
        day = f"{parts['second']}%d" if parts["day"] else ""
        time = ""
        if parts["time"]:
            time = f"{parts['mark']}%H{parts['colon']}%M" + (f"{parts['colon']}%S" if parts["seconds"] else "")
        digits = len(parts["fraction"] or "")
        return cls(f"%Y{parts['first']}%m{day}{time}", digits, parts["zone"] or "", parts[0])

    def write(self, values: pd.Series) -> pd.Series:
        """Return dates as text.

        Raises:
            ValueError: they have a zone and those of train have none, or the other way round.
        """
        aware = values.dt.tz is not None
        if self.zone is None:
            known: pd.Series = values.dt.strftime(_default(values) + ("%z" if aware else ""))
            return known
        if aware and not self.zone:
            msg = f"has times with a zone, and those of train have none, like {self.example}: convert and drop it"
            raise ValueError(msg)
        if self.zone and not aware:
            msg = f"has times without a zone, and those of train have one, like {self.example}: add it"
            raise ValueError(msg)
        if self.zone:
            values = self._in_zone(values)
        texts: pd.Series = values.dt.strftime(self.format)
        if self.fraction:
            texts = texts + "." + values.dt.strftime("%f").str[: self.fraction].str.ljust(self.fraction, "0")
        return texts + (_offsets(values, self.zone) if self.zone else "")

    def _in_zone(self, values: pd.Series) -> pd.Series:
        """Return times in the zone of train; theirs may be the same one, with another offset in another season."""
        zone, known = _read_zone(self.zone or "Z"), pd.to_datetime(self.example, errors="coerce", utc=True)
        if not pd.isna(known) and known.tz_convert(values.dt.tz).utcoffset() == zone.utcoffset(None):
            return values
        converted: pd.Series = values.dt.tz_convert(zone)
        return converted

    def suits(self, texts: pd.Series) -> pd.Series:
        """Return which texts begin with the year and have a zone, as far as those of train do."""
        if not self.format or self.zone is None:
            return pd.Series(True, index=texts.index)
        same = texts.str.contains(_ZONE) == bool(self.zone) if "%H" in self.format else True
        return texts.str.match(r"\d{4}") & same if self.format.startswith("%Y") else texts.notna()


def zone_of(text: str) -> str:
    """Return the offset from UTC with which the text of a date ends, empty without one."""
    match = _YEAR_FIRST.fullmatch(text.strip())
    return (match["zone"] or "") if match else ""


def _default(values: pd.Series) -> str:
    filled = values.dropna()
    return "%Y-%m-%d %H:%M:%S" if bool((filled != filled.dt.normalize()).any()) else "%Y-%m-%d"


def _offsets(values: pd.Series, like: str) -> "pd.Series[str] | str":
    if like.strip() == "Z":
        return like
    offsets: pd.Series[str] = values.dt.strftime("%z")
    with_colon = offsets.str[:3] + ":" + offsets.str[3:] if ":" in like else offsets
    return like[: -len(like.strip())] + with_colon


def _read_zone(text: str) -> datetime.timezone:
    text = text.strip()
    if text == "Z":
        return datetime.UTC
    minutes = 60 * int(text[1:3]) + int(text[-2:])
    return datetime.timezone(datetime.timedelta(minutes=-minutes if text[0] == "-" else minutes))
