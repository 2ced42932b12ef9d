"""The bytes of a table file: mapped into memory or streamed, never held."""

import codecs
import gzip
import io
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow

from mlestar.errors import TaskError
from mlestar.files import MAX_RATIO, open_regular, unpacked_limit

BOM = codecs.BOM_UTF8
MAX_RECORD = 2**26
"""Bytes of one record, and of one line: 64 MiB. A reader holds several at once; the longest texts of competitions have
0.1 MiB. Chosen by judgement; not measured."""
MAX_COLUMNS = 50_000
"""Columns of a table: reading one takes 1.6 ms of CPU time and 14 KiB of memory per column (measured at 10,000 to
30,000). Tables of gene expression, the widest that competitions have, have 20,000 to 40,000. Chosen by judgement."""
_MANY_LINES = 2**24
"""Lines up to which their length does not matter. Chosen by judgement; not measured."""
_SHORTEST_LINE = 4
"""Bytes of a line on average, beyond that: an id, a delimiter, a value and the line end. The position of each line
takes about 30 bytes of memory. Chosen by judgement."""
CHUNK = 2**24
"""Bytes that are looked at in one step. Chosen by judgement; not measured."""
Bytes = bytes | mmap.mmap
"""What is searched and sliced."""


@dataclass(frozen=True)
class Source:
    """A file that is read more than once; the content of a gzip file is unpacked into a temporary file."""

    path: Path
    stamp: tuple[int, int]
    """Size and time of the last change when it was first read."""
    _unpacked: Bytes | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path) -> "Source":
        """Describe a file.

        Raises:
            TaskError: it cannot be read.
        """
        try:
            return cls(path, _stamp(path), _unpack(path) if is_gzip(path) else None)
        except (OSError, EOFError, zlib.error) as error:
            msg = f"{path.name} cannot be read: {error}"
            raise TaskError(msg) from error

    def map(self) -> Bytes:
        """Return the content.

        Raises:
            TaskError: the file was changed since it was first read, or cannot be read.
        """
        if self._unpacked is not None:
            return self._unpacked
        try:
            if _stamp(self.path) != self.stamp:
                msg = f"{self.path.name} was changed after it was read: start again"
                raise TaskError(msg)
            return _map(self.path)
        except OSError as error:
            msg = f"{self.path.name} cannot be read: {error}"
            raise TaskError(msg) from error

    def stream(self, start: int) -> Any:
        """Return an Arrow input stream of the content from a position on."""
        path = str(self.path)
        stream = pyarrow.input_stream(path, compression="gzip") if is_gzip(self.path) else pyarrow.OSFile(path)
        stream.read(start)
        return stream


def is_gzip(path: Path) -> bool:
    """Return whether a file is compressed with gzip, by its name."""
    return path.name.lower().endswith(".gz")


def chunks(data: Bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) of consecutive pieces; the memory of mapped pieces is released."""
    for start in range(0, len(data), CHUNK):
        yield start, data[start : start + CHUNK]
        release(data)


def release(data: Bytes) -> None:
    """Give the memory of mapped pages back; they are read again when they are needed."""
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


class _Unpacking(io.RawIOBase):
    """The content of a gzip file, up to as many bytes as it may hold."""

    def __init__(self, path: Path) -> None:
        self._name, self._left = path.name, unpacked_limit(path)
        self._packed = open_regular(path)
        self._file = gzip.GzipFile(fileobj=self._packed, mode="rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            msg = f"{self._name} unpacks to more than {MAX_RATIO} times its size: unpack it if that is right"
            raise TaskError(msg)
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()


def open_unpacked(path: Path) -> io.BufferedReader:
    """Open a regular file, unpacked by its name.

    Raises:
        TaskError: while reading, when it unpacks to more than it may.
        OSError: it is no regular file, or cannot be read.
    """
    return io.BufferedReader(_Unpacking(path), 2**16) if is_gzip(path) else open_regular(path)


def check_text(data: Bytes, name: str) -> None:
    """Check that a file is UTF-8 text without NUL characters, and that its lines can be those of a table.

    Raises:
        TaskError: it is not; the message names the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 0
    for start, chunk in chunks(data):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=start + len(chunk) == len(data))
        except UnicodeDecodeError as error:
            line = line_of(data, start - pending + error.start)
            msg = f"{name}, line {line}: not UTF-8 text; save it as UTF-8, or name its encoding in task.toml: "
            raise TaskError(msg + 'encoding = "cp1252" reads what Windows writes in Western Europe') from error
        if b"\0" in chunk:
            line = line_of(data, start + chunk.index(b"\0"))
            msg = f"{name}, line {line}: a NUL character; this is not a text table"
            raise TaskError(msg)
        lines += chunk.count(b"\n")
    if lines > _MANY_LINES and len(data) < _SHORTEST_LINE * lines:
        msg = f"{name} has {lines:,} lines of {len(data) / lines:.1f} bytes: check its line ends and quotes"
        raise TaskError(msg)


def check_columns(name: str, count: int) -> None:
    """Check that a table is not too wide to be read.

    Raises:
        TaskError: it is.
    """
    if count > MAX_COLUMNS:
        msg = f"{name} has {count:,} columns, more than {MAX_COLUMNS:,}: leave some out, or use an array (.npy)"
        raise TaskError(msg)


def check_record(name: str, size: int) -> None:
    """Check that a record is not too long to be read.

    Raises:
        TaskError: it is.
    """
    if size > MAX_RECORD:
        msg = f"{name} has a record of {size:,} bytes, more than {MAX_RECORD:,}: check its line ends and quotes"
        raise TaskError(msg)


def line_of(data: Bytes, position: int) -> int:
    """Return the number of the line that a position is in, counted from 1."""
    return 1 + sum(chunk[: max(0, position - start)].count(b"\n") for start, chunk in chunks(data))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _map(path: Path) -> Bytes:
    with open_regular(path) as file:
        # A file without bytes cannot be mapped.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""


def _unpack(path: Path) -> Bytes:
    with tempfile.TemporaryFile() as target:
        with open_unpacked(path) as file:
            shutil.copyfileobj(file, target, CHUNK)
        target.flush()
        # The mapping outlives the file, which has no name.
        return mmap.mmap(target.fileno(), 0, access=mmap.ACCESS_READ) if target.tell() else b""
