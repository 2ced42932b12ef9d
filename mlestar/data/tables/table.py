"""Tables whose records are copied as raw text: CSV, TSV, JSON, JSON lines and Parquet, each optionally gzipped."""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

import numpy as np
import pandas as pd

from mlestar.data.tables.columnar import parse_parquet
from mlestar.data.tables.delimited import parse_delimited
from mlestar.data.tables.jsontext import first_character, parse_array, parse_lines
from mlestar.data.tables.source import Source, is_gzip
from mlestar.errors import TaskError

_MAX_NAMES = 5
"""Names that a message repeats."""
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")


class Records(Protocol):
    """The raw records of one file in its format."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def frame(self) -> pd.DataFrame:
        """Return every cell as text."""
        ...

    def render(self, rows: np.ndarray, columns: Sequence[str]) -> Iterator[bytes]:
        """Yield a whole file with these rows and fields, uncompressed."""
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
        chosen = np.asarray(rows, dtype=np.int64)
        with open_output(path, compressed=is_gzip(self.path)) as file:
            for part in self._records.render(chosen, names):
                file.write(part)


def is_table(path: Path) -> bool:
    """Return whether a file is a table, by its name."""
    return path.is_file() and table_suffix(path) in SUFFIXES


def table_suffix(path: Path) -> str:
    """Return the suffix that names the format, in lower case, `.gz` left out."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def usual_delimiter(name: str) -> str:
    """Return what is between the cells of a file where nothing else is said: a tab in `.tsv`, else a comma."""
    return "\t" if table_suffix(Path(name)) == ".tsv" else ","


def read_table(path: Path) -> Table:
    """Read a table file.

    Raises:
        TaskError: it cannot be read as its suffix says; the message names the file and, where there is one, the line.
    """
    records = _parse(path)
    repeated = [repr(column) for column, count in Counter(records.columns).items() if count > 1]
    if repeated:
        msg = f"{path.name}: duplicate column name {', '.join(repeated[:_MAX_NAMES])}; give each column its own name"
        raise TaskError(msg)
    return Table(path, records.columns, records.frame(), records)


def _parse(path: Path) -> Records:
    suffix = table_suffix(path)
    if suffix not in SUFFIXES:
        msg = f"{path.name} is not a table: use one of {', '.join(SUFFIXES)}, or one of them with .gz"
        raise TaskError(msg)
    source = Source.open(path)
    if suffix == ".parquet":
        return parse_parquet(source)
    if suffix in (".csv", ".tsv"):
        return parse_delimited(source, "\t" if suffix == ".tsv" else None)
    if suffix == ".json" and first_character(source) == "[":
        return parse_array(source)
    records = parse_lines(source)
    if suffix != ".json" or len(records.records) > 1:
        return records
    msg = f"{path.name} holds one JSON object: a table is an array of objects, or one object per line"
    raise TaskError(msg)


@contextmanager
def open_output(path: Path, *, compressed: bool) -> Iterator[IO[bytes]]:
    """Open a file to write; compressed, equal content gives equal bytes."""
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        # Neither a name nor a time.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as archive:
            yield cast(IO[bytes], archive)
