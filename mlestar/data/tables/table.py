"""Tables whose records are copied as raw text: CSV, TSV, JSON, JSON lines and Parquet, each optionally gzipped."""

import gzip
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from mlestar.data.tables.columnar import parse_parquet
from mlestar.data.tables.delimited import parse_delimited
from mlestar.data.tables.jsontext import parse_array, parse_lines
from mlestar.errors import TaskError

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


class Records(Protocol):
    """The raw records of one file in its format."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def frame(self) -> pd.DataFrame:
        """Return every cell as text."""
        ...

    def render(self, rows: Sequence[int], columns: Sequence[str]) -> bytes:
        """Return a whole file with these rows and fields, uncompressed."""
        ...


@dataclass(frozen=True)
class Table:
    """A table file: its cells as text, and its raw records."""

    path: Path
    columns: tuple[str, ...]
    """Top-level fields in the file's order."""
    frame: pd.DataFrame
    """Every cell as text, exactly as in the file; a missing key and `null` are empty, nested values are their JSON."""
    _records: Records = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def delimiter(self) -> str:
        """The delimiter of a delimited file; empty for other formats."""
        return str(getattr(self._records, "delimiter", ""))

    def write(self, path: Path, rows: Sequence[int] | np.ndarray, *, columns: Sequence[str] | None = None) -> None:
        """Write these rows in this order, with these fields, in this table's own format and compression.

        Records and fields are copied as raw text: quotes, number spellings, escapes and line ends stay.
        """
        names = self.columns if columns is None else tuple(columns)
        if unknown := [name for name in names if name not in self.columns]:
            msg = f"{self.path.name} has no column {unknown[0]!r}"
            raise TaskError(msg)
        data = self._records.render([int(row) for row in rows], names)
        # A fixed time stamp: equal rows give equal bytes.
        path.write_bytes(gzip.compress(data, mtime=0) if _is_gzip(self.path) else data)


def is_table(path: Path) -> bool:
    """Return whether a file is a table, by its name."""
    return path.is_file() and table_suffix(path) in SUFFIXES


def table_suffix(path: Path) -> str:
    """Return the suffix that names the format, in lower case, `.gz` left out."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def read_table(path: Path) -> Table:
    """Read a table file.

    Raises:
        TaskError: it cannot be read as its suffix says; the message names the file and, where there is one, the line.
    """
    records = _parse(path)
    repeated = [column for column, count in Counter(records.columns).items() if count > 1]
    if repeated:
        msg = f"{path.name}: duplicate column name {repeated[0]!r}"
        raise TaskError(msg)
    return Table(path, records.columns, records.frame(), records)


def _parse(path: Path) -> Records:
    suffix, data = table_suffix(path), _read_bytes(path)
    if suffix == ".parquet":
        return parse_parquet(data, path.name)
    text = _decode(data, path.name)
    if suffix in (".csv", ".tsv"):
        return parse_delimited(text, path.name, "\t" if suffix == ".tsv" else None)
    if suffix == ".json" and text.lstrip("\ufeff \t\r\n").startswith("["):
        return parse_array(text, path.name)
    if suffix in (".json", ".jsonl", ".ndjson"):
        records = parse_lines(text, path.name)
        if suffix != ".json" or len(records.records) > 1:
            return records
        msg = f"{path.name} holds one JSON object: a table is an array of objects, or one object per line"
        raise TaskError(msg)
    msg = f"{path.name} is not a table: use one of {', '.join(SUFFIXES)}, or one of them with .gz"
    raise TaskError(msg)


def _is_gzip(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if _is_gzip(path) else data
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path.name} cannot be read: {error}"
        raise TaskError(msg) from error


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"{name}, line {line}: not UTF-8 text; save it as UTF-8"
        raise TaskError(msg) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        msg = f"{name}, line {line}: a NUL character; this is not a text table"
        raise TaskError(msg)
    return text
