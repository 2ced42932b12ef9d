"""The files in which a script finds new rows: the file of the rows to predict, and the sample submission.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.composed_id import ComposedId
from mlestar.data.new_ids import IdNumbers
from mlestar.data.tables.quoting import choose_quoting
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.parquet_rows import parquet_bytes, read_schema


def add_names(spec: RowSpec, ids: IdNumbers | None, cells: pd.DataFrame) -> pd.DataFrame:
    """Return checked rows with row numbers, and with an id where they have none.

    Args:
        spec: what the rows hold.
        ids: how ids are made; None adds no ids.
        cells: the rows.
    """
    added = {name: [str(first + row) for row in range(len(cells))] for name, first in spec.counters.items()}
    if spec.id is not None and ids is not None and spec.id.name not in cells.columns:
        added[spec.id.name] = ids.names(len(cells))
    return cells.assign(**added)


class RowFiles(BaseModel):
    """How the files of new rows are written."""

    model_config = ConfigDict(frozen=True)

    test: str
    """Name of the file with the rows to predict."""
    columns: tuple[str, ...]
    """Its columns, in their order."""
    delimiter: str = ","
    types: str = ""
    """Schema of a Parquet file, as text; empty for other files."""
    sample: str | None = None
    """Name of the sample submission."""
    sample_columns: tuple[str, ...] = ()
    sample_values: dict[str, str] = {}
    """The constant predictions of the sample; its other columns are those of the rows."""
    sample_delimiter: str = ","
    sample_types: str = ""
    ids: IdNumbers | None = None
    """How ids are made for rows without one; None where rows have no separate id."""
    composed: ComposedId | None = None

    def complete(self, spec: RowSpec, cells: pd.DataFrame) -> pd.DataFrame:
        """Return checked rows with an id, with the numbers of rows and with a composed id, where the task has these."""
        rows = add_names(spec, self.ids, cells)
        return rows if self.composed is None else self.composed.add_to(rows)

    def write(self, rows: pd.DataFrame) -> dict[str, bytes]:
        """Return the files of complete rows by name."""
        test = rows.reindex(columns=list(self.columns), fill_value="")
        files = {self.test: _content(test, self.delimiter, self.types)}
        if self.sample is not None:
            known = rows.assign(**self.sample_values).reindex(columns=list(self.sample_columns), fill_value="")
            files[self.sample] = _content(known, self.sample_delimiter, self.sample_types)
        return files


def _content(cells: pd.DataFrame, delimiter: str, types: str) -> bytes:
    if types:
        return parquet_bytes(cells, read_schema(types))
    quoting = choose_quoting(cells)
    return cells.to_csv(index=False, sep=delimiter, lineterminator="\n", quoting=quoting).encode()
