"""Text in any form: values line by line, delimited fields, `key: value`, and lines of notes that name rows."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import pandas as pd

from mlestar.evaluation.holdout.revealing.readers.bounds import Allowance
from mlestar.evaluation.holdout.revealing.readers.jsons import looks_like_lines, read_json, read_json_lines
from mlestar.evaluation.holdout.revealing.readers.markup import read_xml
from mlestar.evaluation.holdout.revealing.records import Records

_MARKS = ("\t", ",", ";", "|")
_PAIR = re.compile(r"\s*[-*+]?\s*(.+?)\s*(?:::|=>|->|=|:)\s*(.*?)\s*")
_TOKEN = re.compile(r"[^\s,;|:=<>(){}\[\]\"'`*#!?]+")
# The limits below were chosen by judgement; none was measured.
_MIN_LINES = 5
"""Lines of one form from which they are records."""
_MOST = 0.9
"""Share of lines that must have one form."""
_MIN_COLUMNS = 4
"""Columns that are kept of a wide table, from each end, where all of them would be too many cells."""


def read_text(data: bytes, allowance: Allowance) -> tuple[Records, ...] | None:
    """Return the records of a text in each form that it may have; None when it is no text.

    Raises:
        TooLargeError: it exceeds a limit.
        ValueError: it is XML that declares entities, or nests too deeply.
        RecursionError: it is JSON that nests too deeply.
    """
    text = _decode(data)
    if text is None:
        return None
    start = text.lstrip()[:1]
    if start == "<" and (records := _try_xml(data, allowance)):
        return records
    lines = [line for line in text.splitlines() if line.strip()]
    if start in ("{", "[") and (records := _try_json(text, lines, allowance)):
        return records
    return tuple(_read_lines(lines, allowance))


def _decode(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    controls = sum(data[:4096].count(bytes([code])) for code in (*range(9), *range(14, 32)))
    return None if controls else data.decode("latin-1")


def _try_xml(data: bytes, allowance: Allowance) -> tuple[Records, ...]:
    try:
        return read_xml(data, allowance)
    except ElementTree.ParseError:
        # HTML and notes begin alike, and are read line by line.
        return ()


def _try_json(text: str, lines: Sequence[str], allowance: Allowance) -> tuple[Records, ...]:
    try:
        return read_json_lines(lines, allowance) if looks_like_lines(lines) else read_json(text, allowance)
    except ValueError:
        # Notes may begin with a bracket.
        return ()


def _read_lines(lines: Sequence[str], allowance: Allowance) -> Iterator[Records]:
    if not lines:
        return
    yield from _pairs(lines, allowance)
    fields = _fields(lines, allowance)
    yield from fields or [*_values(lines, allowance), *_tokens(lines, allowance)]


def _values(lines: Sequence[str], allowance: Allowance) -> Iterator[Records]:
    """Yield the lines as one value each, and those after the first, which may be a header."""
    values = [line.strip() for line in lines]
    allowance.take_cells(2 * len(values))
    yield Records("lines", pd.DataFrame({"0": values}, dtype=str))
    if len(values) > _MIN_LINES:
        yield Records("lines after the first", pd.DataFrame({"0": values[1:]}, dtype=str))


def _fields(lines: Sequence[str], allowance: Allowance) -> list[Records]:
    """Return the fields between delimiters, where nearly all lines have equally many."""
    for mark in (*_MARKS, None):
        widths: dict[int, int] = defaultdict(int)
        for line in lines:
            widths[line.count(mark) if mark else len(line.split()) - 1] += 1
        width, count = max(widths.items(), key=lambda item: item[1])
        if width < 1 or count < max(_MIN_LINES, _MOST * len(lines)):
            continue
        rows = _split(lines, mark, width + 1, allowance)
        return list(_with_header(rows))
    return []


def _split(lines: Sequence[str], mark: str | None, width: int, allowance: Allowance) -> list[list[str]]:
    kept = list(range(width))
    most = allowance.cells // (2 * max(1, len(lines)))
    if most < width and most // 2 >= _MIN_COLUMNS:
        kept = [*kept[: most // 2], *kept[-(most // 2) :]]
    allowance.take_cells(2 * len(lines) * len(kept))
    try:
        rows = list(csv.reader(lines, delimiter=mark)) if mark else [line.split() for line in lines]
    except csv.Error:
        rows = [line.split(mark) for line in lines]
    return [[row[number].strip() for number in kept] for row in rows if len(row) == width]


def _with_header(rows: Sequence[Sequence[str]]) -> Iterator[Records]:
    """Yield the rows, and those after the first under its names where these differ from each other."""
    if not rows:
        return
    yield Records("fields", pd.DataFrame(rows, columns=[str(number) for number in range(len(rows[0]))], dtype=str))
    header = [name.strip("'\" ") for name in rows[0]]
    if len(rows) > 1 and all(header) and len(set(header)) == len(header):
        yield Records("fields after the first line", pd.DataFrame(rows[1:], columns=header, dtype=str))


def _pairs(lines: Sequence[str], allowance: Allowance) -> Iterator[Records]:
    matches = [match for line in lines if (match := _PAIR.fullmatch(line))]
    if len(matches) >= _MIN_LINES:
        allowance.take_cells(2 * len(matches))
        rows = [(match[1].strip("'\"`"), match[2].strip("'\"`,")) for match in matches]
        yield Records("pairs", pd.DataFrame(rows, columns=["key", "value"], dtype=str))


def _tokens(lines: Sequence[str], allowance: Allowance) -> Iterator[Records]:
    """Yield the words of lines that have equally many: a dump of rows among prose is a table of them."""
    groups: dict[int, list[list[str]]] = defaultdict(list)
    for line in lines:
        words = [word for word in _TOKEN.findall(line) if word.strip("-._")]
        groups[len(words)].append([word.rstrip(".") for word in words])
    for width, rows in sorted(groups.items()):
        if width > 1 and len(rows) >= _MIN_LINES:
            allowance.take_cells(width * len(rows))
            columns = [str(number) for number in range(width)]
            yield Records(f"lines of {width} words", pd.DataFrame(rows, columns=columns, dtype=str))
