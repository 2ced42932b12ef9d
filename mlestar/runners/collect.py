"""Copying outputs from a folder in which a hostile script may have written anything."""

import os
import shutil
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from mlestar.runners.work_folder import open_closed_folder, open_folder

MAX_OUTPUTS = 1000
"""Files of one execution. Chosen by judgement; not measured."""


class RefusedOutputError(Exception):
    """An output must not be copied; the message says why."""


def collect(work: Path, patterns: tuple[str, ...], target: Path, limit: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copy the files that match; return their relative names, and one line for each that was refused.

    Args:
        work: folder in which nothing executes any more.
        patterns: glob patterns relative to `work`, matched folder by folder (no `**`).
        target: existing folder that receives the copies.
        limit: bytes that all copies may have together.
    """
    copied: list[str] = []
    refused: list[str] = []
    root = open_closed_folder(work)
    try:
        names = [name for pattern in patterns for name in _find_matches(root, pattern.split("/"))]
        for name in dict.fromkeys(names):
            allowed = limit if len(copied) < MAX_OUTPUTS else -1
            try:
                limit -= _copy(root, name, target, allowed)
                copied.append(name)
            except (RefusedOutputError, OSError) as error:
                reason = error if isinstance(error, RefusedOutputError) else error.strerror
                refused.append(f"output {name!r} was refused: {reason}")
    finally:
        os.close(root)
    return tuple(copied), tuple(refused)


def _find_matches(folder: int, parts: list[str]) -> Iterator[str]:
    """Yield the relative names that match a pattern, without following links."""
    names = [name for name in os.listdir(folder) if fnmatchcase(name, parts[0])]
    for name in sorted(names):
        if len(parts) == 1:
            yield name
            continue
        try:
            below = open_folder(name, folder)
        except OSError:
            continue
        try:
            yield from (f"{name}/{rest}" for rest in _find_matches(below, parts[1:]))
        finally:
            os.close(below)


def _copy(root: int, name: str, target: Path, limit: int) -> int:
    """Copy one file and return its size."""
    *folders, last = name.split("/")
    if not name.isprintable():
        msg = "its name is not printable text"
        raise RefusedOutputError(msg)
    opened = [root]
    try:
        for folder in folders:
            opened.append(open_folder(folder, opened[-1]))
        # Without O_NONBLOCK, opening a fifo would block until some process writes into it.
        source = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=opened[-1])
    except OSError as error:
        msg = f"it is a link or cannot be read ({error.strerror})"
        raise RefusedOutputError(msg) from error
    finally:
        for folder_fd in opened[1:]:
            os.close(folder_fd)
    with os.fdopen(source, "rb") as file:
        size = _check(os.fstat(source), limit)
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as copy:
            shutil.copyfileobj(file, copy)
    return size


def _check(status: os.stat_result, limit: int) -> int:
    """Return the size of an acceptable file."""
    if not stat.S_ISREG(status.st_mode):
        msg = "it is not a regular file"
    elif status.st_nlink != 1:
        msg = "it is a hard link"
    elif limit < 0:
        msg = f"there are more than {MAX_OUTPUTS} outputs"
    elif status.st_size > limit:
        msg = f"it has {status.st_size} bytes, more than the outputs may have"
    else:
        return status.st_size
    raise RefusedOutputError(msg)
