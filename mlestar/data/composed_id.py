"""Ids that rows have in two columns.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class ComposedId:
    """An id of the sample submission that test has in two columns."""

    name: str
    columns: tuple[str, str]
    separator: str

    @property
    def note(self) -> str:
        """Say for agents how the id is made."""
        first, second = self.columns
        how = f"joined by {self.separator!r}" if self.separator else "joined without a separator"
        return f"{self.name} of the submission is {first} and {second} {how}; train and test have no column for it"

    def cells(self, frame: pd.DataFrame) -> pd.Series:
        """Return the ids of rows."""
        first, second = (frame[column].str.strip() for column in self.columns)
        return first + self.separator + second

    def add_to(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return rows with the id as a further column."""
        return frame.assign(**{self.name: self.cells(frame)})
