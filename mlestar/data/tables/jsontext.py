"""JSON arrays of objects and JSON lines, members kept as raw text."""

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow

from mlestar.data.tables.cells import TEXT, text_frame
from mlestar.data.tables.source import BOM, Bytes, Source, check_columns, check_record, check_text, release
from mlestar.data.tables.spans import Spans, line_spans
from mlestar.errors import TaskError
from mlestar.files import MAX_RATIO, SMALL

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_WORDS = {True: "true", False: "false", None: ""}
_HEAD_BYTES = 4096
"""Bytes in which the first bracket of an array is expected. Chosen by judgement; not measured."""
_CELL_BYTES = 8
"""Least bytes that a cell takes as text in memory: those that hold where it ends."""
_PART_ROWS = 20_000
"""Rows that are Python objects at a time. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Objects:
    """The raw objects of a file by their positions, with the text before, between and after them."""

    source: Source
    columns: tuple[str, ...]
    records: Spans
    opening: bytes
    between: bytes
    closing: bytes
    _cells: list[pyarrow.ChunkedArray] = field(repr=False)

    def frame(self) -> pd.DataFrame:
        """Return every cell as text, once."""
        return text_frame(self.columns, self._cells, len(self.records))

    def render(self, rows: np.ndarray, columns: Sequence[str]) -> Iterator[bytes]:
        records = self.records.select(rows).texts(self.source.map())
        if tuple(columns) != self.columns and len(self.records):
            # The spacing of a record could tell what is removed from it.
            (first,) = self.records.select(slice(0, 1)).texts(self.source.map())
            spacing = _spacing(first.decode())
            records = (_select(record.decode(), columns, spacing).encode() for record in records)
        yield self.opening
        separator = b""
        for record in records:
            yield separator + record
            separator = self.between
        yield self.closing


class _Rows:
    """The cells and positions of the objects that were read, packed part by part."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._most = max(SMALL, MAX_RATIO * size) // _CELL_BYTES
        self._columns: dict[str, str] = {}
        self._rows: list[dict[str, str]] = []
        self._parts: list[tuple[int, dict[str, pyarrow.Array]]] = []
        self._starts, self._ends = array("q"), array("q")

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, cells: dict[str, str], start: int, end: int) -> None:
        self._columns.update(cells)
        check_columns(self._name, len(self._columns))
        check_record(self._name, end - start)
        # A key that only some records have is an empty cell of all others.
        if len(self._columns) * len(self._starts) > self._most:
            msg = f"{self._name} has {len(self._columns):,} different keys: records of a table must have the same"
            raise TaskError(msg)
        self._rows.append(cells)
        self._starts.append(start)
        self._ends.append(end)
        if len(self._rows) == _PART_ROWS:
            self._pack()

    def spans(self) -> Spans:
        return Spans(np.array(self._starts, dtype=np.int64), np.array(self._ends, dtype=np.int64))

    def collect(self, source: Source, opening: bytes, between: bytes, closing: bytes) -> Objects:
        """Return the objects with the text around them.

        Raises:
            TaskError: no object has a field.
        """
        self._pack()
        if not self._columns:
            msg = f"{self._name} has no records with fields"
            raise TaskError(msg)
        cells = [self._column(name) for name in self._columns]
        return Objects(source, tuple(self._columns), self.spans(), opening, between, closing, cells)

    def _column(self, name: str) -> pyarrow.ChunkedArray:
        """Return a column; a key that a part lacks is empty there."""
        parts = [part[name] if name in part else pyarrow.array([""] * rows, type=TEXT) for rows, part in self._parts]
        return pyarrow.chunked_array(parts, type=TEXT)

    def _pack(self) -> None:
        names = dict.fromkeys(name for cells in self._rows for name in cells)
        try:
            part = {name: pyarrow.array([cells.get(name, "") for cells in self._rows], type=TEXT) for name in names}
        except UnicodeEncodeError as error:
            msg = f"{self._name} holds half of a surrogate pair, which is not text: {error}"
            raise TaskError(msg) from error
        self._parts.append((len(self._rows), part))
        self._rows = []


def parse_lines(source: Source) -> Objects:
    """Read one object per line; blank lines are skipped."""
    data, name = _open(source)
    rows = _Rows(name, len(data))
    lines = line_spans(data, _bom_length(data), returns=False)
    starts = lines.starts.tolist()
    for number, (start, line) in enumerate(zip(starts, lines.texts(data), strict=True), 1):
        if record := line.strip(b" \t\r\n"):
            begin = start + line.index(record[:1])
            rows.add(_object(record.decode(), f"{name}, line {number}"), begin, begin + len(record))
    ending = b"\r\n" if data.find(b"\r\n") >= 0 else b"\n"
    release(data)
    return rows.collect(source, b"", ending, ending)


def parse_array(source: Source) -> Objects:
    """Read one array of objects."""
    data, name = _open(source)
    text = data[_bom_length(data) :].decode()
    rows, position, place = _Rows(name, len(data)), 0, _bom_length(data)
    for start, end in _spans(text, name):
        begin = place + len(text[position:start].encode())
        record = text[start:end]
        position, place = end, begin + len(record.encode())
        rows.add(_object(record, f"{name}, record {len(rows) + 1}"), begin, place)
    if not len(rows):
        msg = f"{name} has no records"
        raise TaskError(msg)
    spans = rows.spans()
    between = data[spans.ends[0] : spans.starts[1]] if len(spans) > 1 else b",\n"
    opening, closing = data[_bom_length(data) : spans.starts[0]], data[spans.ends[-1] :]
    release(data)
    return rows.collect(source, opening, between, closing)


def first_character(source: Source) -> str:
    """Return the first character that is no blank."""
    data = source.map()
    return data[_bom_length(data) : _HEAD_BYTES].lstrip()[:1].decode(errors="replace")


def _open(source: Source) -> tuple[Bytes, str]:
    data = source.map()
    check_text(data, source.path.name)
    return data, source.path.name


def _bom_length(data: Bytes) -> int:
    return len(BOM) if data[: len(BOM)] == BOM else 0


def _object(record: str, origin: str) -> dict[str, str]:
    """Return the fields of one object as text, numbers in their own spelling."""
    value, end = _decode(record, 0, origin)
    if not isinstance(value, dict) or end != len(record):
        msg = f"{origin}: expected one JSON object"
        raise TaskError(msg)
    if any(isinstance(member, (dict, list)) for member in value.values()):
        value.update({key: record[start:end] for key, _, start, end in _members(record) if record[start] in "{["})
    return {key: member if isinstance(member, str) else _WORDS[member] for key, member in value.items()}


def _decode(text: str, position: int, origin: str) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        msg = f"{origin}: broken JSON ({error})"
        raise TaskError(msg) from error


def _spans(text: str, name: str) -> Iterator[tuple[int, int]]:
    """Yield where each element of the outermost array starts and ends."""
    position = _skip(text, 0)
    separator = text[position : position + 1]
    if separator != "[":
        msg = f"{name}: expected a JSON array of objects"
        raise TaskError(msg)
    number = 0
    while separator in ("[", ","):
        start = _skip(text, position + 1)
        if separator == "[" and text[start : start + 1] == "]":
            return
        number += 1
        end = _decode(text, start, f"{name}, record {number}")[1]
        yield start, end
        position = _skip(text, end)
        separator = text[position : position + 1]
    if separator != "]" or _skip(text, position + 1) != len(text):
        msg = f"{name}: broken JSON after record {number}"
        raise TaskError(msg)


def _members(record: str) -> list[tuple[str, int, int, int]]:
    """Return (key, start of the raw key, start of the raw value, end of it) of a valid object, in its order."""
    members = []
    position = _skip(record, 0)
    while record[position] != "}":
        begin = _skip(record, position + 1)
        if record[begin] == "}":
            break
        key, position = _DECODER.raw_decode(record, begin)
        start = _skip(record, _skip(record, position) + 1)
        position = _DECODER.raw_decode(record, start)[1]
        members.append((key, begin, start, position))
        position = _skip(record, position)
    return members


def _spacing(record: str) -> tuple[str, str, str, str]:
    """Return what an object has before, inside, between and after its members."""
    members = _members(record)
    if not members:
        return "{", ": ", ", ", "}"
    _, begin, start, end = members[0]
    inside = record[_DECODER.raw_decode(record, begin)[1] : start]
    between = record[end : members[1][1]] if len(members) > 1 else ", "
    return record[:begin], inside, between, record[members[-1][3] :]


def _select(record: str, columns: Sequence[str], spacing: tuple[str, str, str, str]) -> str:
    """Return the object with only these members in this order, their raw text, and this spacing."""
    before, inside, between, after = spacing
    raw: dict[str, str] = {}
    for key, begin, start, end in _members(record):
        raw[key] = record[begin : _DECODER.raw_decode(record, begin)[1]] + inside + record[start:end]
    return before + between.join(raw[column] for column in columns if column in raw) + after


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
