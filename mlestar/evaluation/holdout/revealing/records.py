"""What a file of the input holds, as records of text cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlestar.data.tables import is_table, read_table
from mlestar.errors import UserError


@dataclass(frozen=True)
class Records:
    """Records of a file that have the same fields."""

    where: str
    """The place in the file, such as the name of a table or of a member of an archive; empty for the file itself."""
    cells: pd.DataFrame
    """Cells as text, one line per record, in the file's order. An array without names has the columns `0`, `1`, ..."""


def read_records(path: Path) -> tuple[Records, ...] | None:
    """Return what a file holds; None when it cannot be read, so that it is left out unless a user vouches for it.

    A file without records that could belong to rows, such as a picture or a text, has none: an empty tuple.
    """
    # Imported here because the readers import this module for what they return.
    from mlestar.evaluation.holdout.revealing.readers import read_other

    if is_table(path):
        try:
            return (Records("", read_table(path).frame),)
        except UserError:
            pass
    return read_other(path)


def join_cells(cells: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the cells of several columns as one text for each record; missing ones make it missing."""
    first, *rest = columns
    return cells[first].str.cat(cells[rest], sep="|")
