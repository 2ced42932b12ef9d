"""Comma-, semicolon-, tab- and bar-separated text, by the rules that `csv` and pandas share."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice

import pandas as pd

from mlestar.errors import TaskError

DELIMITERS = (",", ";", "\t", "|")
_BOM = "\ufeff"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SAMPLE_RECORDS = 30
"""Records from which the delimiter is found. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Delimited:
    """The raw records of a delimited file, line ends included."""

    name: str
    columns: tuple[str, ...]
    delimiter: str
    header: str
    records: list[str]
    bom: bool

    def frame(self) -> pd.DataFrame:
        if not self.records:
            return pd.DataFrame({column: [] for column in self.columns}, dtype=str)
        try:
            frame = pd.read_csv(
                io.StringIO("".join(self.records)),
                sep=self.delimiter,
                header=None,
                names=list(self.columns),
                index_col=False,
                dtype=str,
                na_filter=False,
            )
        except (ValueError, OverflowError) as error:
            msg = f"{self.name} cannot be read as a table: {error}"
            raise TaskError(msg) from error
        if len(frame) != len(self.records):
            msg = f"{self.name}: {len(self.records)} records in the file, {len(frame)} can be read; check its quotes"
            raise TaskError(msg)
        return frame

    def render(self, rows: Sequence[int], columns: Sequence[str]) -> bytes:
        records = [self.header, *(self.records[row] for row in rows)]
        if tuple(columns) != self.columns:
            positions = [self.columns.index(column) for column in columns]
            records = [self._select(record, positions) for record in records]
        end = _ending(self.header) or "\n"
        body = "".join(record if _ending(record) else record + end for record in records[:-1])
        return (_BOM * self.bom + body + records[-1]).encode()

    def _select(self, record: str, positions: Sequence[int]) -> str:
        fields = split_fields(record, self.delimiter)
        selection = self.delimiter.join(fields[position] for position in positions)
        # Readers skip a blank line, so a lone blank field needs quotes.
        quoted = selection if selection.strip(" \t") or len(positions) > 1 else f'"{selection}"'
        return quoted + _ending(record)


def parse_delimited(text: str, name: str, delimiter: str | None) -> Delimited:
    """Split a whole file into raw records; without `delimiter` it is inferred from the first records.

    Raises:
        TaskError: no header, a repeated column name, an open quote or a record of another length than the header.
    """
    bom = text.startswith(_BOM)
    text = text.removeprefix(_BOM)
    delimiter = delimiter or _find_delimiter(text)
    numbered = list(_records(text, delimiter, name))
    if not numbered:
        msg = f"{name} is empty: it needs a header line"
        raise TaskError(msg)
    header = numbered[0][1]
    columns = tuple(next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter)))
    _check_lengths(numbered, delimiter, len(columns), name)
    return Delimited(name, columns, delimiter, header, [record for _, record in numbered[1:]], bom)


def split_fields(record: str, delimiter: str) -> list[str]:
    """Return the raw fields of one record, quotes kept, without its line end."""
    if '"' not in record:
        return record.rstrip("\r\n").split(delimiter)
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


def _ending(record: str) -> str:
    return record[len(record.rstrip("\r\n")) :]


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf'(?:^|(?<={mark}))("(?>[^"]+|"")*+"[^{mark}\r\n]*+|(?!")[^{mark}\r\n]*+)(?:{mark}|\Z)')


@cache
def _quoted_record(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    field = rf'(?:"(?>[^"]+|"")*+"[^{mark}\r\n]*+|(?!")[^{mark}\r\n]*+)'
    return re.compile(rf"{field}(?:{mark}{field})*+(?:\r\n|\r|\n|\Z)")


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, raw record), skipping blank lines as pandas does."""
    whole = _quoted_record(delimiter)
    blank = " \r\n" if delimiter == "\t" else " \t\r\n"
    line, position = 1, 0
    while match := _LINE.match(text, position):
        if '"' in match.group() and not (match := whole.match(text, position)):
            msg = f"{name}, line {line}: a quoted field is never closed"
            raise TaskError(msg)
        record = match.group()
        if record.strip(blank):
            yield line, record
        line += max(record.count("\n"), record.count("\r"))
        position = match.end()


def _check_lengths(numbered: list[tuple[int, str]], delimiter: str, expected: int, name: str) -> None:
    for line, record in numbered:
        fields = len(split_fields(record, delimiter)) if '"' in record else record.count(delimiter) + 1
        if fields != expected:
            msg = f"{name}, line {line}: {fields} fields, but the header has {expected}"
            raise TaskError(msg)


def _find_delimiter(text: str) -> str:
    """Return the delimiter that divides each of the first records into the same number of fields, the most of these."""
    widths = {delimiter: _record_widths(text, delimiter) for delimiter in DELIMITERS}
    regular = [delimiter for delimiter in DELIMITERS if len(set(widths[delimiter])) == 1 and widths[delimiter][0] > 1]
    return max(regular or DELIMITERS, key=lambda delimiter: max(widths[delimiter][:1], default=0))


def _record_widths(text: str, delimiter: str) -> list[int]:
    widths: list[int] = []
    # An open quote is reported when the whole file is read; the records before it are enough to choose.
    with suppress(TaskError):
        for _, record in islice(_records(text, delimiter, ""), _SAMPLE_RECORDS):
            widths.append(len(split_fields(record, delimiter)))
    return widths
