"""The tables of an input folder, and a file with a role."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.statistics import array_shapes
from mlestar.data.tables import Table, is_table, read_table
from mlestar.errors import HoldoutError, UserError


@dataclass(frozen=True)
class TaskFile:
    """A file or a folder with a role."""

    name: str
    """Relative to the input folder."""
    columns: tuple[str, ...]
    """Names of the fields; of the arrays where `frame` is None."""
    frame: pd.DataFrame | None
    """A row for each row of the task, every cell as text; None when rows cannot be listed."""
    delimiter: str = ""
    """Of a delimited file; empty for others."""

    @property
    def rows(self) -> pd.DataFrame:
        """The rows, every cell as text.

        Raises:
            HoldoutError: they cannot be listed.
        """
        if self.frame is None:
            msg = f"the rows of {self.name} cannot be listed"
            raise HoldoutError(msg)
        return self.frame


@dataclass
class TableCache:
    """The tables of an input folder, each read once."""

    input: Path
    tables: dict[str, Table] = field(default_factory=dict)

    def get(self, name: str) -> Table:
        if name not in self.tables:
            self.tables[name] = read_table(self.input / name)
        return self.tables[name]

    def describe(self, name: str) -> TaskFile:
        """Return a table, or the names of an archive's arrays, as a file."""
        path = self.input / name
        if is_table(path):
            table = self.get(name)
            return TaskFile(name, table.columns, table.frame, table.delimiter)
        arrays = array_shapes(path) if path.is_file() else {}
        return TaskFile(name, tuple(arrays), None)

    def is_readable(self, name: str) -> bool:
        """Return whether a file is a table that can be read; if it cannot, its statistics will say why."""
        try:
            return is_table(self.input / name) and bool(self.get(name).columns)
        except UserError:
            return False


def empty_rows(columns: Sequence[str]) -> pd.DataFrame:
    """Return a table of no rows, of text."""
    return pd.DataFrame({column: np.array([], dtype=object) for column in columns}, dtype=str)
