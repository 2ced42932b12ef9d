"""The text of a file as a whole: what readers of its records leave out, such as comments, notes and deleted rows."""

import base64
import binascii
import bz2
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet

from mlestar.data.tables import is_table, table_suffix
from mlestar.evaluation.holdout.revealing.mentions import MAX_SCANNED
from mlestar.evaluation.holdout.revealing.readers.media import HEAD_BYTES, is_media
from mlestar.evaluation.holdout.revealing.readers.packed import OPENERS
from mlestar.evaluation.holdout.revealing.records import Records

# The limits below were chosen by judgement; none was measured.
_LONG_CELL = 500
"""Characters of a cell that may be a text of its own."""
_MANY_NAMES = 20
"""Columns whose names may be a text of their own."""
_WRITTEN = re.compile(rb"[^\s\"',;|]+")
"""The content of a line, without quotes, separators and blanks."""
_MANY_FORMS = 50
_STRING = re.compile(rb"[\x20-\x7e\t\r\n]{3,}")
"""A piece of text in a file that is not text."""
_MIN_ENCODED = 256
"""Fewest characters of a text that may be encoded data."""
_BASE64, _HEXADECIMAL = re.compile(r"[A-Za-z0-9+/_=-]+"), re.compile(r"(?:0x)?[0-9a-fA-F]+")
_LINE = 40
"""Characters of the lines of encoded data, on average."""
_ONLY_RECORDS = (".csv", ".tsv", ".parquet")
"""Tables that hold nothing but their records; a record of JSON may hold more than its fields show."""
_HDF5 = (".h5", ".hdf5")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""The header says which."""


def hidden_texts(path: Path, records: Sequence[Records]) -> Iterator[str]:
    """Yield the texts of a file that may name rows, besides the records of a table."""
    yield from _in_cells(records)
    if is_table(path) and table_suffix(path) in _ONLY_RECORDS:
        yield from _of_parquet(path) if table_suffix(path) == ".parquet" else ()
        return
    if path.suffix.lower() in _HDF5:
        yield "\n".join(_attributes(path))
    with path.open("rb") as file:
        if is_media(path.name, file.read(HEAD_BYTES)):
            return
    text = _as_text(_read(path))
    yield text
    decoded = decode_text(text)
    if decoded is not None:
        yield _as_text(decoded)


def forms_of_lines(path: Path, count: int) -> list[str]:
    """Return how each record of a delimited file is written: its quotes, blanks and line end; nothing if all are alike.

    Args:
        path: the file.
        count: of its records; nothing is returned where the number of lines differs.
    """
    if table_suffix(path) not in (".csv", ".tsv") or path.stat().st_size > MAX_SCANNED:
        return []
    lines = [line for line in _read(path).splitlines(keepends=True) if line.strip()][1:]
    if len(lines) != count:
        return []
    shapes = [_WRITTEN.sub(b"x", line) for line in lines]
    # The last line may have no end.
    return [shape.decode("latin-1") for shape in shapes] if 1 < len(set(shapes[:-1])) <= _MANY_FORMS else []


def decode_text(text: str) -> bytes | None:
    """Return the bytes of a text that is base64 or hexadecimal as a whole, unpacked; None where it is neither."""
    lines = text.split()
    compact = "".join(lines)
    if len(compact) < max(_MIN_ENCODED, _LINE * len(lines)):
        return None
    if _HEXADECIMAL.fullmatch(compact):
        digits = compact.removeprefix("0x")
        return _unpacked(binascii.unhexlify("0" * (len(digits) % 2) + digits))
    if not _BASE64.fullmatch(compact):
        return None
    try:
        return _unpacked(base64.b64decode(compact.translate(str.maketrans("-_", "+/")) + "=="))
    except ValueError:
        return None


def _unpacked(data: bytes) -> bytes:
    """Return what packed data begins with, and other data as it is."""
    for decompressor in (zlib.decompressobj(_GZIP_OR_ZLIB), bz2.BZ2Decompressor(), lzma.LZMADecompressor()):
        try:
            return decompressor.decompress(data, MAX_SCANNED)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
            continue
    return data


def _in_cells(records: Sequence[Records]) -> Iterator[str]:
    for part in records:
        names = [str(name) for name in part.cells.columns]
        if len(names) > _MANY_NAMES:
            yield "\n".join(names)
        for name in part.cells.columns if len(set(names)) == len(names) else ():
            cells = part.cells[name]
            if len(cells) and int(cells.str.len().max()) > _LONG_CELL:
                yield "\n".join(cells[cells.str.len() > _LONG_CELL])[:MAX_SCANNED]


def _of_parquet(path: Path) -> Iterator[str]:
    schema = pyarrow.parquet.read_schema(path)
    metadata = [schema.metadata, *(schema.field(place).metadata for place in range(len(schema.names)))]
    for entries in metadata:
        for key, value in (entries or {}).items():
            yield f"{key.decode(errors='replace')} {value.decode(errors='replace')}"


def _attributes(path: Path) -> list[str]:
    """Return the attributes of everything in an HDF5 file."""
    import h5py  # an optional library

    found: list[str] = []

    def visit(_: str, item: Any) -> None:
        found.extend(f"{key} {value}" for key, value in item.attrs.items())

    try:
        with h5py.File(path, "r") as file:
            visit("", file)
            file.visititems(visit)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        # What cannot be read is decided with its records.
        return found
    return found


def _read(path: Path) -> bytes:
    """Return the content of a file, unpacked where it is compressed by itself; both ends of a large one."""
    opener = OPENERS.get(path.suffix.lower())
    try:
        if opener is not None:
            with opener(path, "rb") as packed:
                return bytes(packed.read(MAX_SCANNED))
        with path.open("rb") as file:
            return _ends(file, path.stat().st_size)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""


def _ends(file: IO[bytes], size: int) -> bytes:
    if size <= MAX_SCANNED:
        return file.read()
    head = file.read(MAX_SCANNED // 2)
    file.seek(size - MAX_SCANNED // 2)
    return head + b"\n" + file.read()


def _as_text(data: bytes) -> str:
    """Return data as a text; of other data, the pieces of text in it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" not in data:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    return "\n".join(match.decode("ascii") for match in _STRING.findall(data))
