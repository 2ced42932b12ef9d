"""The bytes of a table file: mapped into memory or streamed, never held."""

import codecs
import gzip
import mmap
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow

from mlestar.errors import TaskError

BOM = codecs.BOM_UTF8
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


def check_text(data: Bytes, name: str) -> None:
    """Check that a file is UTF-8 text without NUL characters.

    Raises:
        TaskError: it is not; the message names the line.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
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


def line_of(data: Bytes, position: int) -> int:
    """Return the number of the line that a position is in, counted from 1."""
    return 1 + sum(chunk[: max(0, position - start)].count(b"\n") for start, chunk in chunks(data))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _map(path: Path) -> Bytes:
    with path.open("rb") as file:
        # A file without bytes cannot be mapped.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _unpack(path: Path) -> Bytes:
    with tempfile.TemporaryFile() as target:
        with gzip.open(path, "rb") as file:
            shutil.copyfileobj(file, target, CHUNK)
        target.flush()
        # The mapping outlives the file, which has no name.
        return mmap.mmap(target.fileno(), 0, access=mmap.ACCESS_READ) if target.tell() else b""
