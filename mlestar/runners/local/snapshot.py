"""Copies of input folders for scripts that share our file system."""

import os
import shutil
import threading
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.work_folder import delete_folder

Signature = tuple[tuple[str, int, int, int, int], ...]
"""Of every file and folder below a root: relative name, inode, mode, size, time of the last change in nanoseconds."""


class Snapshots:
    """One read-only copy of each input, shared by all scripts and replaced once a script has written to it.

    A script writes through a link or a hard link into the original, and copying gigabytes for each script takes longer
    than most scripts; so the copy is made once and compared afterwards.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._taken: dict[tuple[Path, Signature], tuple[Path, Signature]] = {}
        self._count = 0

    def take(self, source: Path) -> Path:
        """Return the copy of an input folder.

        Raises:
            RunnerError: the input cannot be read or copied.
        """
        with self._lock:
            try:
                source = source.resolve()
                key = (source, signature(source, self._folder))
                if key in self._taken and self.intact(self._taken[key][0]):
                    return self._taken[key][0]
                self._count += 1
                copy = self._folder / str(self._count)
                shutil.copytree(source, copy, ignore=self._own)
                _protect(copy)
            except (OSError, shutil.Error) as error:
                msg = f"cannot copy the input folder {source}: {error}"
                raise RunnerError(msg) from error
            self._taken[key] = (copy, signature(copy))
            return copy

    def intact(self, copy: Path) -> bool:
        """Whether no script has written to a copy."""
        with self._lock:
            return any(copy == place and signature(place) == before for place, before in self._taken.values())

    def _own(self, place: str, names: list[str]) -> list[str]:
        """Name the folder that holds these copies, when the runs lie in the input folder."""
        return [name for name in names if self._folder.is_relative_to(Path(place, name))]

    def drop(self) -> None:
        """Delete all copies."""
        with self._lock:
            self._taken.clear()
            delete_folder(self._folder)


def signature(folder: Path, avoid: Path | None = None) -> Signature:
    """Return what changes when anything below a folder is written, added or removed; contents are not read."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not (avoid and avoid.is_relative_to(Path(place, name)))]
        for path in (Path(place), *map(Path(place).joinpath, files)):
            status = path.lstat()
            relative = path.relative_to(folder).as_posix()
            found.append((relative, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _protect(folder: Path) -> None:
    """Take the right to write from everybody; the superuser is not bound by it."""
    for place, _, files in os.walk(folder, topdown=False):
        for path in map(Path(place).joinpath, files):
            path.chmod(0o444)
        Path(place).chmod(0o555)
