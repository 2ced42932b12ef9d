"""JSON arrays of objects and JSON lines, members kept as raw text."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mlestar.errors import TaskError

_BOM = "\ufeff"
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_WORDS = {True: "true", False: "false", None: ""}


@dataclass(frozen=True)
class Objects:
    """The raw objects of a file with the text before, between and after them."""

    name: str
    columns: tuple[str, ...]
    cells: list[dict[str, str]]
    records: list[str]
    opening: str
    between: str
    closing: str

    def frame(self) -> pd.DataFrame:
        data = {column: [cells.get(column, "") for cells in self.cells] for column in self.columns}
        try:
            return pd.DataFrame(data, index=range(len(self.cells)), dtype=str)
        except UnicodeEncodeError as error:
            msg = f"{self.name} holds half of a surrogate pair, which is not text: {error}"
            raise TaskError(msg) from error

    def render(self, rows: Sequence[int], columns: Sequence[str]) -> bytes:
        records = (self.records[row] for row in rows)
        if tuple(columns) != self.columns:
            records = (_select(record, columns) for record in records)
        return (self.opening + self.between.join(records) + self.closing).encode()


def parse_lines(text: str, name: str) -> Objects:
    """Read one object per line; blank lines are skipped."""
    text = text.removeprefix(_BOM)
    ending = "\r\n" if "\r\n" in text else "\n"
    numbered = [(number, line.strip(" \t\r")) for number, line in enumerate(text.split("\n"), 1)]
    records = [(number, line) for number, line in numbered if line]
    cells = [_object(line, f"{name}, line {number}") for number, line in records]
    return _collect(cells, [line for _, line in records], ("", ending, ending), name)


def parse_array(text: str, name: str) -> Objects:
    """Read one array of objects."""
    text = text.removeprefix(_BOM)
    spans = list(_spans(text, name))
    records = [text[start:end] for start, end in spans]
    cells = [_object(record, f"{name}, record {number}") for number, record in enumerate(records, 1)]
    if not spans:
        msg = f"{name} has no records"
        raise TaskError(msg)
    between = text[spans[0][1] : spans[1][0]] if len(spans) > 1 else ",\n"
    return _collect(cells, records, (text[: spans[0][0]], between, text[spans[-1][1] :]), name)


def _collect(cells: list[dict[str, str]], records: list[str], around: tuple[str, str, str], name: str) -> Objects:
    columns: dict[str, str] = {}
    for row in cells:
        columns.update(row)
    if not columns:
        msg = f"{name} has no records with fields"
        raise TaskError(msg)
    return Objects(name, tuple(columns), cells, records, *around)


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


def _select(record: str, columns: Sequence[str]) -> str:
    """Return the object with only these members; their raw text and the spacing of the object stay."""
    members = _members(record)
    if not members:
        return record
    between = record[members[0][3] : members[1][1]] if len(members) > 1 else ", "
    raw = {key: record[begin:end] for key, begin, _, end in members}
    selection = between.join(raw[column] for column in columns if column in raw)
    return record[: members[0][1]] + selection + record[members[-1][3] :]


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
