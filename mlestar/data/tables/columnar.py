"""Parquet through pyarrow; rows are written without pandas."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlestar.errors import TaskError, UserError


@dataclass(frozen=True)
class Columnar:
    """An Arrow table and the compression of the file it came from."""

    columns: tuple[str, ...]
    table: Any
    compression: str

    def frame(self) -> pd.DataFrame:
        data = {name: _texts(self.table.column(name)) for name in self.columns}
        return pd.DataFrame(data, index=range(self.table.num_rows), dtype=str)

    def render(self, rows: Sequence[int], columns: Sequence[str]) -> bytes:
        import pyarrow
        import pyarrow.parquet

        sink = io.BytesIO()
        selection = self.table.select(list(columns)).take(pyarrow.array(rows, type=pyarrow.int64()))
        pyarrow.parquet.write_table(selection, sink, compression=self.compression)
        return sink.getvalue()


def parse_parquet(data: bytes, name: str) -> Columnar:
    """Read a Parquet file.

    Raises:
        UserError: pyarrow is not installed.
        TaskError: the file is not Parquet.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        msg = f"{name} is a Parquet file: pip install pyarrow to read it"
        raise UserError(msg) from error
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        msg = f"{name} cannot be read as Parquet: {str(error).splitlines()[0]}"
        raise TaskError(msg) from error
    return Columnar(tuple(table.column_names), table, _compression(file.metadata))


def _compression(metadata: Any) -> str:
    if not metadata.num_row_groups or not metadata.num_columns:
        return "snappy"
    name: str = metadata.row_group(0).column(0).compression
    return "none" if name == "UNCOMPRESSED" else name.lower()


def _texts(column: Any) -> list[str]:
    """Return the cells as text: null and NaN are empty, nested values JSON, other values as Python writes them."""
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
