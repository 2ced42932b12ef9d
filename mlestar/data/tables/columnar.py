"""Parquet through pyarrow, a batch of rows at a time; rows are written with their types."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from mlestar.data.tables.cells import TEXT, text_frame
from mlestar.data.tables.source import CHUNK, Source, check_columns
from mlestar.errors import TaskError
from mlestar.files import MAX_RATIO, unpacked_limit

_BATCH_ROWS = 65_536
_CELL_BYTES = 8
"""Least bytes that a cell takes as text in memory: those that hold where it ends."""
_MAX_GROUP = 2**28
"""Bytes of rows that are written as one group. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Columnar:
    """A Parquet file and the compression of its columns."""

    source: Source
    columns: tuple[str, ...]
    compression: str

    def frame(self) -> pd.DataFrame:
        """Return every cell as text: null and NaN are empty, nested values JSON, other values as Python writes them."""
        parts: list[list[pyarrow.Array]] = [[] for _ in self.columns]
        rows = 0
        for batch in self._batches():
            rows += batch.num_rows
            for position, part in enumerate(parts):
                part.append(_texts(batch.column(position)))
        return text_frame(self.columns, [pyarrow.chunked_array(part, type=TEXT) for part in parts], rows)

    def render(self, rows: np.ndarray, columns: Sequence[str]) -> Iterator[bytes]:
        schema = _open(self.source).schema_arrow
        schema = pyarrow.schema([schema.field(name) for name in columns], metadata=schema.metadata)
        with tempfile.TemporaryFile() as target:
            with pyarrow.parquet.ParquetWriter(target, schema, compression=self.compression) as writer:
                for group in self._groups(rows, columns):
                    writer.write_table(group.cast(schema))
            target.seek(0)
            while chunk := target.read(CHUNK):
                yield chunk

    def _groups(self, rows: np.ndarray, columns: Sequence[str]) -> Iterator[pyarrow.Table]:
        """Yield the rows in groups of limited size; rows in another order than the file's need all of it at once."""
        if np.any(rows[1:] < rows[:-1]):
            table = pyarrow.Table.from_batches(list(self._batches()))
            yield table.select(list(columns)).take(pyarrow.array(rows, type=pyarrow.int64()))
            return
        first, size, group = 0, 0, list[pyarrow.RecordBatch]()
        for batch in self._batches():
            begin, end = np.searchsorted(rows, [first, first + batch.num_rows])
            chosen = pyarrow.array(rows[begin:end] - first, type=pyarrow.int64())
            group.append(batch.select(list(columns)).take(chosen))
            first, size = first + batch.num_rows, size + group[-1].nbytes
            if size > _MAX_GROUP:
                yield pyarrow.Table.from_batches(group)
                size, group = 0, []
        if group:
            yield pyarrow.Table.from_batches(group)

    def _batches(self) -> Iterator[pyarrow.RecordBatch]:
        yield from _open(self.source).iter_batches(batch_size=_BATCH_ROWS)


def parse_parquet(source: Source) -> Columnar:
    """Read the metadata of a Parquet file.

    Raises:
        TaskError: the file is not Parquet.
    """
    try:
        file = _open(source)
        _check_size(source.path, file.metadata)
        return Columnar(source, tuple(file.schema_arrow.names), _compression(file.metadata))
    except (pyarrow.ArrowException, OSError) as error:
        msg = f"{source.path.name} cannot be read as Parquet: {str(error).splitlines()[0]}"
        raise TaskError(msg) from error


def _check_size(path: Path, metadata: Any) -> None:
    """Check that a file does not unpack to far more than its size: equal cells take next to no bytes in it."""
    check_columns(path.name, metadata.num_columns)
    size = metadata.num_rows * max(1, metadata.num_columns) * _CELL_BYTES
    size = max(size, sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)))
    if size > unpacked_limit(path):
        msg = f"{path.name} unpacks to at least {size:,} bytes, more than {MAX_RATIO} times its size: save it as CSV "
        raise TaskError(msg + "if that is right")


def _open(source: Source) -> Any:
    return pyarrow.parquet.ParquetFile(pyarrow.BufferReader(source.map()))


def _compression(metadata: Any) -> str:
    if not metadata.num_row_groups or not metadata.num_columns:
        return "snappy"
    name: str = metadata.row_group(0).column(0).compression
    return "none" if name == "UNCOMPRESSED" else name.lower()


def _texts(column: pyarrow.Array) -> pyarrow.Array:
    kind = column.type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return pyarrow.compute.fill_null(column.cast(TEXT), "")
    return pyarrow.array([_text(value) for value in column.to_pylist()], type=TEXT)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
