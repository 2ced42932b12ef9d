"""Ids for rows that have none: they continue the numbers at the end of the ids that exist.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import re

import pandas as pd
from pydantic import BaseModel, ConfigDict

_NUMBERED = re.compile(r"(?P<start>.*?)(?P<number>\d{1,15})")


class IdNumbers(BaseModel):
    """Ids for rows without one: they continue the numbers at the end of the existing ids."""

    model_config = ConfigDict(frozen=True)

    start: str = "new-"
    width: int = 0
    """Digits of a number, with zeros before it."""
    first: int = 1

    def names(self, count: int) -> list[str]:
        """Return the given number of ids."""
        return [f"{self.start}{number:0{self.width}d}" for number in range(self.first, self.first + count)]


def continue_ids(cells: pd.Series) -> IdNumbers:
    """Return how new ids are made beside existing ones: where these end in numbers, the count is continued."""
    ids = cells.str.strip()
    match = _NUMBERED.fullmatch(str(ids.iloc[-1])) if len(ids) else None
    if match is None:
        return IdNumbers()
    start, width = match["start"], len(match["number"]) if match["number"].startswith("0") else 0
    pattern = re.compile(rf"{re.escape(start)}(\d{{1,15}})")
    first = max(int(numbered[1]) for text in ids if (numbered := pattern.fullmatch(text))) + 1
    return IdNumbers(start=start, width=width, first=first)
