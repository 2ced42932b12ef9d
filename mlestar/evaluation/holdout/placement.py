"""Copies of a task's files for staged inputs.

A file that two inputs have in common would let their scripts exchange data, by locks on it and by which of its pages
are in memory. So every input gets copies of its own, and the task's own files are never mounted.
"""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import StoreError

FICLONE = 0x40049409
"""Request of ioctl(2): make a file share the blocks of another one until either is written."""
MB = 1_000_000


@dataclass(frozen=True)
class Store:
    """Copies that inputs of one run may share where the task's files are too large for a copy in each input."""

    folder: Path
    link_above: int
    """Bytes that one input may take up with copies of its own."""

    def link(self, source: Path, target: Path) -> bool:
        """Make `target` another name of the run's copy of a file; False where the disk has no hard links."""
        copy = self.folder / _identity(source)
        if not copy.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(f"{copy.name}.partial-{os.getpid()}")
            _copy(source, partial)
            partial.rename(copy)
        try:
            os.link(copy, target)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                return False
            raise
        return True

    def size(self) -> int:
        """Return the bytes of all copies."""
        return sum(path.stat().st_size for path in self._copies())

    def shared(self) -> int:
        """Return how many copies are in more than one input."""
        return sum(path.stat().st_nlink > 2 for path in self._copies())

    def _copies(self) -> Iterable[Path]:
        return self.folder.iterdir() if self.folder.is_dir() else ()


class Placement:
    """Puts files of a task into one staged input."""

    def __init__(self, store: Store | None = None) -> None:
        """Describe the placement; without a store every file is copied."""
        self._store = store
        self._clones = sys.platform == "linux"
        """Whether to try cloning: the first file shows whether the file system supports it."""
        self._copied = 0

    def place(self, source: Path, target: Path) -> str:
        """Stage a file as it is, read-only, and return how."""
        if self._clones:
            self._clones = _clone(source, target)
            if self._clones:
                make_read_only(target)
                return "copied"
        size = source.stat().st_size
        if self._store and self._copied + size > self._store.link_above and self._store.link(source, target):
            return "linked"
        _copy(source, target)
        self._copied += size
        return "copied"


def check_space(sources: Iterable[Path], folder: Path, store: Store | None = None) -> None:
    """Refuse to copy files for which the disk has no space.

    Args:
        sources: the files.
        folder: where the copies will be.
        store: has some of them already.

    Raises:
        StoreError: says how much is missing.
    """
    files = list(sources)
    needed = sum(path.stat().st_size for path in files) - (store.size() if store else 0)
    free = shutil.disk_usage(folder).free
    if needed <= free or can_clone(files, folder):
        return
    msg = f"an input needs {needed / MB:,.0f} MB in {folder}, where {free / MB:,.0f} MB are free: free "
    msg += f"{(needed - free) / MB:,.0f} MB, or start the run with --runs-dir on another disk"
    raise StoreError(msg)


def can_clone(files: Iterable[Path], folder: Path) -> bool:
    """Whether copies in a folder take up no space, as on Btrfs and XFS: determined by making one."""
    probe = folder / f".clone-{os.getpid()}"
    try:
        return any(_clone(path, probe) for path in list(files)[:1])
    finally:
        probe.unlink(missing_ok=True)


def make_read_only(path: Path) -> None:
    """Make a script that writes into ./input fail in every runner."""
    path.chmod(0o444)


def _identity(source: Path) -> str:
    """Return a name for a file as it is now."""
    status = source.stat()
    facts = (source.resolve(), status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.sha256("\0".join(map(str, facts)).encode(errors="surrogateescape")).hexdigest()


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    make_read_only(target)


def _clone(source: Path, target: Path) -> bool:
    """Make `target` a file that shares the blocks of another one on disk, but nothing in memory; False if impossible.

    Linux only; the request does not exist elsewhere.
    """
    if sys.platform != "linux":
        return False
    import fcntl  # other systems lack it, and this module is imported before they are refused

    with source.open("rb") as original, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), FICLONE, original.fileno())
        except OSError:
            target.unlink()
            return False
    return True
