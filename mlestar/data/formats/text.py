"""Text tables in other encodings than UTF-8, and tables without a header."""

import codecs
import csv
import io
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mlestar.data.tables.delimited import DELIMITERS, column_names, header_delimiter, quote
from mlestar.data.tables.source import is_gzip, open_unpacked
from mlestar.errors import TaskError
from mlestar.files import open_regular

TEXTS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks; that of UTF-32 begins with that of UTF-16."""
_BLOCK = 2**22
_HEAD = 2**16
"""Bytes that show the encoding and the header. Chosen by judgement; not measured."""
_ZEROS = 0.4
"""Share of zero bytes at odd or even positions from which text is UTF-16: Latin letters have one zero byte of two.
Chosen by judgement; not measured."""
_SAMPLE_ROWS = 50
_SEPARATOR = re.compile(rb"(?:\xef\xbb\xbf)?\"?sep=[^\r\n]{1,2}\"?\r?\n", re.IGNORECASE)
"""The line by which Excel is told the delimiter."""
_NUMBER = re.compile(r"[-+]?(\d[\d., ]*|[.,]\d+)([eE][-+]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?")


def find_encoding(path: Path) -> str | None:
    """Return UTF-16 or UTF-32 for a text file that is certainly in it, None for any other."""
    head = read_head(path)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if len(head) < 4:
        return None
    even, odd = head[::2].count(0) / len(head[::2]), head[1::2].count(0) / len(head[1::2])
    if odd > _ZEROS and even < odd / 2:
        return "utf-16-le"
    return "utf-16-be" if even > _ZEROS and odd < even / 2 else None


def is_utf8(path: Path) -> bool:
    """Return whether a whole file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_text(path) as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def excel_marks(path: Path) -> list[str]:
    """Say what Excel adds to a CSV file: a first line that names the delimiter, records of empty cells at the end."""
    if path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1] not in ("csv", "tsv"):
        return []
    marks = ["its first line (sep=) left out"] if _SEPARATOR.match(read_head(path)) else []
    if not is_gzip(path) and _filled_size(path) < path.stat().st_size:
        marks.append("empty records at its end left out")
    return marks


def convert_text(path: Path, target: Path, encoding: str | None, header: Sequence[str] | None) -> None:
    """Write a text file as UTF-8, with a header line before it when one is given, without what Excel adds.

    Raises:
        TaskError: it is not in this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding or "utf-8-sig")()
    try:
        with open_text(path) as source, target.open("wb") as output:
            if header is not None:
                output.write(header_line(path, header).encode())
            if encoding is None and (line := _SEPARATOR.match(read_head(path))):
                source.read(line.end())
            while block := source.read(_BLOCK):
                output.write(decoder.decode(block).removeprefix("\ufeff").encode())
            output.write(decoder.decode(b"", final=True).encode())
        if path.suffix.lower() in (".csv", ".tsv"):
            os.truncate(target, _filled_size(target))
    except UnicodeError as error:
        msg = f"{path.name} is not {encoding or 'UTF-8'} text: set encoding in task.toml to the one it was saved in"
        raise TaskError(msg) from error


def _filled_size(path: Path) -> int:
    """Return the bytes of a file before the records at its end that hold only delimiters; all where there are none."""
    size = end = path.stat().st_size
    with open_regular(path) as file:
        while end:
            start = max(0, end - _HEAD)
            file.seek(start)
            block = file.read(end - start)
            rest = block.rstrip(b",;\t\r\n")
            if not rest and start:
                end = start
                continue
            line = block.find(b"\n", len(rest)) + 1
            tail = block[line:] if end == size else b","
            return start + line if line and any(mark in tail for mark in b",;\t") else size
    return size


def header_line(path: Path, names: Sequence[str]) -> str:
    """Return a header line with the delimiter of a file."""
    mark = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else _delimiter(_first_lines(path, None))
    return mark.join(quote(name, mark) for name in names) + "\n"


def first_records(path: Path, encoding: str | None) -> list[list[str]]:
    """Return the cells of the first records of a delimited file; empty when it cannot be read as one."""
    lines = _first_lines(path, encoding)
    if not lines:
        return []
    mark = "\t" if path.name.lower().removesuffix(".gz").endswith(".tsv") else _delimiter(lines)
    try:
        return [record for record in csv.reader(io.StringIO("".join(lines), newline=""), delimiter=mark) if record]
    except csv.Error:
        return []


def has_header(records: list[list[str]]) -> bool:
    """Return whether the first record names the columns: it has no number or date where the others have them."""
    if len(records) < 2 or any(len(record) != len(records[0]) for record in records):
        return False
    kinds = [_kind(cells) for cells in zip(*records[1:], strict=True)]
    return any(kind != "text" and _kind([cell]) != kind for cell, kind in zip(records[0], kinds, strict=True))


def lacks_header(records: list[list[str]]) -> bool:
    """Return whether the first record looks like data: it has numbers or dates wherever the others have them.

    Whole numbers alone may be names (`0`, `1`, ... or years), so they count only with a value that is no name: a
    fraction, a sign, a date, a repeated value, or a word that the other rows have too.
    """
    if len(records) < 2 or any(len(record) != len(records[0]) for record in records):
        return False
    first, others = records[0], list(zip(*records[1:], strict=True))
    kinds = [_kind(cells) for cells in others]
    typed = [position for position, kind in enumerate(kinds) if kind != "text"]
    if not typed or any(_kind([first[position]]) != kinds[position] for position in typed):
        return False
    words = [position for position in range(len(first)) if position not in typed]
    if any(first[position] and first[position] in others[position] for position in words):
        return True
    values = [first[position].strip() for position in typed]
    return len(set(first)) < len(first) or any(not value.isdigit() for value in values)


def open_text(path: Path) -> IO[bytes]:
    """Open a text file, unpacked."""
    return open_unpacked(path)


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked; none when it cannot be read."""
    try:
        with open_text(path) as file:
            return file.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


def _first_lines(path: Path, encoding: str | None) -> list[str]:
    decoder = codecs.getincrementaldecoder(encoding or "utf-8-sig")(errors="replace")
    head = read_head(path)
    lines = decoder.decode(head).removeprefix("\ufeff").splitlines(keepends=True)
    whole = lines if len(head) < _HEAD else lines[:-1]
    return [line for line in whole if line.strip()][: _SAMPLE_ROWS + 1]


def _delimiter(lines: list[str]) -> str:
    widths = {mark: {len(column_names(line, mark)) for line in lines if '"' not in line} for mark in DELIMITERS}
    regular = [mark for mark in DELIMITERS if len(widths[mark]) == 1 and max(widths[mark]) > 1]
    if regular:
        return max(regular, key=lambda mark: max(widths[mark]))
    return header_delimiter(lines[0]) if lines else ","


def _kind(cells: Sequence[str]) -> str:
    """Return `number` or `date` when all cells that are not empty are that, else `text`."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if filled and all(_DATE.fullmatch(cell) for cell in filled):
        return "date"
    return "number" if filled and all(_NUMBER.fullmatch(cell) for cell in filled) else "text"
