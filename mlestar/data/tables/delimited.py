"""Comma-, semicolon-, tab- and bar-separated text, by the rules that `csv` and pandas share."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv

from mlestar.data.tables.cells import TEXT, text_frame
from mlestar.data.tables.source import BOM, Bytes, Source, check_columns, check_record, check_text, line_of, release
from mlestar.data.tables.spans import Spans, blank_lines, holds, line_spans
from mlestar.errors import TaskError

DELIMITERS = (",", ";", "\t", "|")
_BOM = "\ufeff"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SAMPLE_RECORDS = 30
"""Records from which the delimiter is found. Chosen by judgement; not measured."""
_SEGMENT = 2**25
"""Bytes that the reader takes as one block. Chosen by judgement; not measured."""
_BLOCKS_PER_RECORD = 2
"""The longest records that fit into a block."""
_LARGEST_BLOCK = 2**31 - 1


@dataclass(frozen=True)
class Delimited:
    """The records of a delimited file by their positions."""

    source: Source
    columns: tuple[str, ...]
    delimiter: str
    header: bytes
    records: Spans
    quoted: bool
    """Some cell has quotes."""
    bom: bool

    def frame(self) -> pd.DataFrame:
        """Return every cell as text.

        Raises:
            TaskError: a record of another length than the header.
        """
        if not len(self.records):
            return text_frame(self.columns, [pyarrow.chunked_array([[]], type=TEXT) for _ in self.columns], 0)
        try:
            table = pyarrow.concat_tables(self._read(part) for part in self._parts())
        except pyarrow.ArrowException as error:
            self._check_lengths()
            msg = f"{self.source.path.name} cannot be read as a table: {str(error).splitlines()[0]}"
            raise TaskError(msg) from error
        if table.num_rows != len(self.records):
            msg = f"{self.source.path.name}: {len(self.records)} records in the file, {table.num_rows} can be read; "
            raise TaskError(msg + "check its quotes")
        columns = table.columns
        del table
        return text_frame(self.columns, columns, len(self.records))

    def render(self, rows: np.ndarray, columns: Sequence[str]) -> Iterator[bytes]:
        data, chosen = self.source.map(), self.records.select(rows)
        yield BOM * self.bom
        if tuple(columns) == self.columns:
            yield from self._copy(data, chosen)
            return
        positions = [self.columns.index(column) for column in columns]
        end = _ending(self.header) or b"\n"
        texts = chain([self.header], chosen.texts(data))
        uneven = self._unevenly_quoted(data, chosen) if self.quoted else frozenset()
        lines = (self._select(record, positions, uneven) for record in texts)
        previous = next(lines)
        for line in lines:
            yield previous.rstrip(b"\r\n") + end
            previous = line
        yield previous.rstrip(b"\r\n") + (end if _ending(previous) else b"")

    def _copy(self, data: Bytes, chosen: Spans) -> Iterator[bytes]:
        """Yield header and records; one without a line end gets one unless it stays the last."""
        end = _ending(self.header) or b"\n"
        yield self.header if _ending(self.header) or not len(chosen) else self.header + end
        first = 0
        for row in np.flatnonzero(chosen.ends == len(data)).tolist():
            yield from chosen.select(slice(first, row)).copy(data)
            record = data[chosen.starts[row] : chosen.ends[row]]
            yield record if _ending(record) or row == len(chosen) - 1 else record + end
            first = row + 1
        yield from chosen.select(slice(first, len(chosen))).copy(data)

    def _read(self, stream: Any) -> pyarrow.Table:
        names = [str(number) for number in range(len(self.columns))]
        longest = int((self.records.ends - self.records.starts).max())
        block = min(max(_SEGMENT, _BLOCKS_PER_RECORD * longest), _LARGEST_BLOCK)
        return pyarrow.csv.read_csv(
            stream,
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=block),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self.delimiter, quote_char='"' if self.quoted else False, newlines_in_values=self.quoted
            ),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, TEXT), null_values=[]),
        )

    def _parts(self) -> Iterator[Any]:
        r"""Yield streams of records.

        With quotes each stream is one block of the reader, which drops the `\n` of a quoted `\r\n` between blocks.
        """
        data = self.source.map()
        if not self.quoted and self._has_no_gaps(data):
            yield self.source.stream(int(self.records.starts[0]))
            return
        for part in self.records.copy(data, _SEGMENT // _BLOCKS_PER_RECORD):
            yield pyarrow.BufferReader(part)

    def _has_no_gaps(self, data: Bytes) -> bool:
        """Return whether lines without a record are empty; Arrow takes those with blanks for records."""
        runs = self.records.runs()
        gaps = zip(runs.ends.tolist(), [*runs.starts[1:].tolist(), len(data)], strict=True)
        return all(not data[end:start].strip(b"\r\n") for end, start in gaps)

    def _check_lengths(self) -> None:
        data, expected = self.source.map(), len(self.columns)
        for start, record in zip(self.records.starts.tolist(), self.records.texts(data), strict=True):
            fields = len(split_fields(record, self.delimiter))
            if fields != expected:
                line = 1 + len(line_spans(data[:start]))
                msg = f"{self.source.path.name}, line {line}: {fields} fields, but the header has {expected}"
                raise TaskError(msg)

    def _unevenly_quoted(self, data: Bytes, chosen: Spans) -> frozenset[int]:
        """Return the columns that some records quote and others do not, though no cell needs quotes for all of them."""
        some: set[int] = set()
        every = set(range(len(self.columns)))
        for record in chosen.texts(data):
            quoted = {place for place, cell in enumerate(split_fields(record, self.delimiter)) if cell[:1] == b'"'}
            some |= quoted
            every &= quoted
        return frozenset(some - every)

    def _select(self, record: bytes, positions: Sequence[int], uneven: frozenset[int]) -> bytes:
        fields = split_fields(record, self.delimiter)
        for place in uneven:
            if fields[place][:1] == b'"':
                # Where only some cells have quotes they could tell what was removed.
                fields[place] = _plain(fields[place], self.delimiter)
        selection = self.delimiter.encode().join([fields[position] for position in positions])
        # Readers skip a blank line, so a lone blank field needs quotes.
        quoted = selection if selection.strip(b" \t") or len(positions) > 1 else b'"' + selection + b'"'
        return quoted + _ending(record)


def parse_delimited(source: Source, delimiter: str | None) -> Delimited:
    """Find the records of a file; without `delimiter` it is inferred from the first of them.

    Raises:
        TaskError: not UTF-8 text, no header, or an open quote.
    """
    data, name = source.map(), source.path.name
    check_text(data, name)
    bom = data[: len(BOM)] == BOM
    lines = line_spans(data, len(BOM) * bom)
    check_record(name, _longest(lines))
    delimiter = delimiter or _find_delimiter(data, len(BOM) * bom)
    records, quoted = _find_records(data, lines, delimiter, name)
    if not len(records):
        msg = f"{name} is empty: it needs a header line"
        raise TaskError(msg)
    check_record(name, _longest(records))
    header = data[records.starts[0] : records.ends[0]]
    release(data)
    columns = column_names(header.decode(), delimiter)
    check_columns(name, len(columns))
    return Delimited(source, columns, delimiter, header, records.select(slice(1, None)), quoted, bom)


def column_names(header: str, delimiter: str) -> tuple[str, ...]:
    """Return the names in a header line; a column without one is named by its position, as pandas does."""
    try:
        cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        msg = f"a header line cannot be read: {error}"
        raise TaskError(msg) from error
    return tuple(cell or f"Unnamed: {number}" for number, cell in enumerate(cells))


def split_fields(record: bytes, delimiter: str) -> list[bytes]:
    """Return the raw fields of one record, quotes kept, without its line end."""
    if b'"' not in record:
        return record.rstrip(b"\r\n").split(delimiter.encode())
    return [match.group(1) for match in _field(delimiter).finditer(record[: len(record) - len(_ending(record))])]


def header_delimiter(header: str) -> str:
    """Return the delimiter that divides a header line into the most columns."""
    line = header.removeprefix(_BOM)
    widths = {mark: len(next(csv.reader(io.StringIO(line, newline=""), delimiter=mark), [])) for mark in DELIMITERS}
    return max(DELIMITERS, key=lambda mark: widths[mark])


def quote(text: str, delimiter: str) -> str:
    """Return the raw field that reads as `text`."""
    if any(mark in text for mark in (delimiter, '"', "\r", "\n")):
        return '"' + text.replace('"', '""') + '"'
    return text


def _plain(field: bytes, delimiter: str) -> bytes:
    """Return a quoted field with quotes only where it needs them."""
    text = next(csv.reader(io.StringIO(field.decode(), newline=""), delimiter=delimiter), [""])[0]
    return quote(text, delimiter).encode()


def _ending(record: bytes) -> bytes:
    return record[len(record.rstrip(b"\r\n")) :]


@cache
def _field(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    return re.compile(rf'(?:^|(?<={mark}))("(?>[^"]+|"")*+"[^{mark}\r\n]*+|(?!")[^{mark}\r\n]*+)(?:{mark}|\Z)'.encode())


@cache
def _quoted_record(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    field = rf'(?:"(?>[^"]+|"")*+"[^{mark}\r\n]*+|(?!")[^{mark}\r\n]*+)'
    return re.compile(rf"{field}(?:{mark}{field})*+(?:\r\n|\r|\n|\Z)".encode())


def _blanks(delimiter: str) -> bytes:
    return b" \r\n" if delimiter == "\t" else b" \t\r\n"


def _longest(spans: Spans) -> int:
    return int((spans.ends - spans.starts).max()) if len(spans) else 0


def _find_records(data: Bytes, lines: Spans, delimiter: str, name: str) -> tuple[Spans, bool]:
    """Return the records, blank lines left out as pandas does, and whether any of them has quotes."""
    quoted = holds(data, b'"', lines)
    ends, is_first = lines.ends.copy(), np.ones(len(lines), dtype=bool)
    whole, following = _quoted_record(delimiter), 0
    for line in np.flatnonzero(quoted).tolist():
        if line < following:
            continue
        match = whole.match(data, int(lines.starts[line]))
        if match is None:
            msg = f"{name}, line {line + 1}: a quoted field is never closed"
            raise TaskError(msg)
        if match.end() != lines.ends[line]:
            following = int(np.searchsorted(lines.ends, match.end())) + 1
            ends[line] = match.end()
            is_first[line + 1 : following] = False
    is_first &= ~blank_lines(data, lines, _blanks(delimiter))
    return Spans(lines.starts[is_first], ends[is_first]), bool(quoted.any())


def _find_delimiter(data: Bytes, start: int) -> str:
    """Return the delimiter that divides each of the first records into the same number of fields, the most of these."""
    widths = {delimiter: _record_widths(data, start, delimiter) for delimiter in DELIMITERS}
    regular = [delimiter for delimiter in DELIMITERS if len(set(widths[delimiter])) == 1 and widths[delimiter][0] > 1]
    return max(regular or DELIMITERS, key=lambda delimiter: max(widths[delimiter][:1], default=0))


def _record_widths(data: Bytes, start: int, delimiter: str) -> list[int]:
    widths: list[int] = []
    # An open quote is reported when the whole file is read; the records before it are enough to choose.
    with suppress(TaskError):
        for record in islice(_first_records(data, start, delimiter), _SAMPLE_RECORDS):
            widths.append(len(split_fields(record, delimiter)))
    return widths


def _first_records(data: Bytes, position: int, delimiter: str) -> Iterator[bytes]:
    whole, blank = _quoted_record(delimiter), _blanks(delimiter)
    while match := _LINE.match(data, position):
        if b'"' in match.group() and not (match := whole.match(data, position)):
            msg = f"line {line_of(data, position)}: a quoted field is never closed"
            raise TaskError(msg)
        check_record("the table", match.end() - match.start())
        if match.group().strip(blank):
            yield match.group()
        position = match.end()
