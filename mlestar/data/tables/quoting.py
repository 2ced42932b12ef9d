"""How texts are quoted in a CSV file, so that every reader finds the same rows."""

import csv
from typing import Literal

import pandas as pd


def choose_quoting(frame: pd.DataFrame) -> Literal[0, 2]:
    """Return `csv.QUOTE_NONNUMERIC` for a frame with a carriage return in a text, else `csv.QUOTE_MINIMAL`.

    Minimal quoting leaves a carriage return alone as it is, and a reader takes it for the end of a line.
    """
    return csv.QUOTE_NONNUMERIC if _has_returns(frame) else csv.QUOTE_MINIMAL


def _has_returns(frame: pd.DataFrame) -> bool:
    texts = [column for _, column in frame.select_dtypes(include=["object", "string", "category"]).items()]
    return any(column.astype(str).str.contains("\r", regex=False).any() for column in texts)
