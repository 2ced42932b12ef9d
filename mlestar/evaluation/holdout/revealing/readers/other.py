"""Which reader reads a file, by its name and content."""

import lzma
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

from mlestar.data.formats.archives import archive_stem
from mlestar.data.formats.arrow import ARROW
from mlestar.data.formats.workbooks import WORKBOOKS
from mlestar.data.layouts.array_files import is_array_file
from mlestar.data.tables import is_table, read_table, table_suffix
from mlestar.errors import UserError
from mlestar.evaluation.holdout.revealing.readers.arrays import read_arrays
from mlestar.evaluation.holdout.revealing.readers.bounds import MAX_BYTES, MAX_TEXT, Allowance, TooLargeError
from mlestar.evaluation.holdout.revealing.readers.databases import MAGIC, read_database
from mlestar.evaluation.holdout.revealing.readers.media import HEAD_BYTES, is_media
from mlestar.evaluation.holdout.revealing.readers.packed import (
    COMPRESSED,
    read_archive,
    read_compressed,
    read_converted,
)
from mlestar.evaluation.holdout.revealing.readers.texts import read_text
from mlestar.evaluation.holdout.revealing.records import Records

_UNREADABLE = (
    UserError,
    TooLargeError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    sqlite3.Error,
    ElementTree.ParseError,
)
"""What a broken or hostile file makes the libraries raise."""


def read_other(path: Path) -> tuple[Records, ...] | None:
    """Return the records of a file that is no plain table; None when it cannot be read within the limits.

    Memory is bounded by `MAX_TEXT`, `MAX_BYTES` and `MAX_CELLS`: about 1.5 GB at the worst, for a JSON text of 64 MB of
    empty objects. Pickled objects are never loaded, and nothing in a file is executed.
    """
    try:
        head = _read_head(path)
        if is_media(path.name, head):
            return ()
        with tempfile.TemporaryDirectory(prefix="mlestar-reading-") as folder:
            return _read(path, head, Path(folder), Allowance())
    except _UNREADABLE:
        return None


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _read(path: Path, head: bytes, folder: Path, allowance: Allowance) -> tuple[Records, ...] | None:
    def read_inner(inner: Path, left: Allowance) -> tuple[Records, ...] | None:
        return _read_member(inner, folder, left)

    name = path.name.lower()
    if head.startswith(MAGIC):
        return read_database(path, allowance)
    if is_array_file(name):
        return read_arrays(path, allowance)
    if name.endswith((*WORKBOOKS, *ARROW)):
        return read_converted(path, folder, allowance, read_inner)
    if archive_stem(name) is not None:
        return read_archive(path, folder, allowance, read_inner)
    if name.endswith(COMPRESSED):
        return read_compressed(path, folder, allowance, read_inner)
    return _read_text(path, head, allowance)


def _read_member(path: Path, folder: Path, allowance: Allowance) -> tuple[Records, ...] | None:
    head = _read_head(path)
    if is_media(path.name, head):
        return ()
    if is_table(path) and not path.name.endswith(".gz"):
        size = path.stat().st_size
        if size > (MAX_BYTES if table_suffix(path) == ".parquet" else MAX_TEXT):
            return None
        try:
            table = read_table(path)
        except UserError:
            return _read(path, head, folder, allowance)
        allowance.take_cells(table.frame.size)
        return (Records("", table.frame),)
    return _read(path, head, folder, allowance)


def _read_text(path: Path, head: bytes, allowance: Allowance) -> tuple[Records, ...] | None:
    is_wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if (b"\0" in head and not is_wide) or path.stat().st_size > MAX_TEXT:
        return None
    return read_text(path.read_bytes(), allowance)
