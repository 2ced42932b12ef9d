"""Opening files that somebody else made: regular ones only, and no larger than they may be."""

import errno
import hashlib
import io
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

MAX_TEXT_FILE = 2**24
"""Bytes of a description, a settings file, a card or a script that are read at most. The longest descriptions of
competitions have 0.1 MiB. Chosen by judgement; not measured."""

MAX_RATIO = 300
"""Bytes unpacked per byte of a compressed file, beyond `SMALL` bytes. Text packs to a tenth, hardly ever to a
hundredth. Chosen by judgement; not measured."""
SMALL = 2**28
"""Bytes that a file may unpack to whatever its size: 256 MiB. Chosen by judgement; not measured."""
MACHINE_FAULTS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
)
"""Errors of the system that are not about one file: no space, a broken disk, no handle, memory or process left."""
BLOCK = 512
"""Bytes of the blocks that the system counts for a file."""


def unpacked_limit(path: Path) -> int:
    """Return the bytes that a compressed file may unpack to."""
    return max(SMALL, MAX_RATIO * path.stat().st_size)


def is_mostly_holes(path: Path) -> bool:
    """Return whether a file is far larger than what is stored of it, so that reading it takes longer than it should."""
    status = path.stat()
    if status.st_size <= max(SMALL, MAX_RATIO * status.st_blocks * BLOCK):
        return False
    # File systems over a network, such as sshfs, count no blocks.
    return bool(status.st_blocks) or not _begins_with_data(path)


def _begins_with_data(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0
    except OSError:  # it has no data, or cannot be read
        return False


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; a pipe, a device or a socket is refused, since it may block or never end.

    Raises:
        OSError: it is no regular file, or cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer; for a regular file it has no effect.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, limit: int = MAX_TEXT_FILE) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it is no regular file, is larger than the limit, or cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes", str(path))
    return content


def sha256_of(path: Path) -> str:
    """Return the sha256 of a regular file.

    Raises:
        OSError: it is no regular file, or cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file; a byte-order mark is skipped.

    Raises:
        ValueError: it cannot be read; the message is the reason alone.
    """
    try:
        return tomllib.loads(read_regular(path).decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except RecursionError as error:
        raise ValueError(str(error)) from error
