"""Copies of input folders for scripts that share our file system."""

import os
import shutil
import threading
import uuid
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.work_folder import delete_folder

Signature = tuple[tuple[str, int, int, int, int], ...]
"""Of every file and folder below a root: relative name, inode, mode, size, time of the last change in nanoseconds."""


class Snapshots:
    """One read-only copy of each input, which all scripts share until one has written to it.

    With links or hard links a script could write to the original, and copying gigabytes for each script takes longer
    than most scripts; so the copy is made once and compared after each script.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._copies: dict[tuple[Path, Signature], tuple[Path, Signature]] = {}

    def take(self, source: Path) -> Path:
        """Return the copy of an input folder.

        Raises:
            RunnerError: the input cannot be read or copied.
        """
        with self._lock:
            try:
                source = source.resolve()
                key = (source, signature(source, self._folder))
                if key in self._copies and self.intact(self._copies[key][0]):
                    return self._copies[key][0]
                copy = self._folder / uuid.uuid4().hex[:16]  # a number would tell which input it is
                shutil.copytree(source, copy, ignore=self._ignore)
                _protect(copy)
            except (OSError, shutil.Error) as error:
                msg = f"cannot copy the input folder {source}: {error}"
                raise RunnerError(msg) from error
            self._copies[key] = (copy, signature(copy))
            return copy

    def intact(self, copy: Path) -> bool:
        """Whether no script has written to a copy."""
        with self._lock:
            signatures = dict(self._copies.values())
            return copy in signatures and signature(copy) == signatures[copy]

    def delete(self) -> None:
        """Delete all copies."""
        with self._lock:
            self._copies.clear()
            delete_folder(self._folder)

    def _ignore(self, parent: str, names: list[str]) -> list[str]:
        """Return the name of the folder with these copies, when the runs are below the input folder."""
        return [name for name in names if self._folder.is_relative_to(Path(parent, name))]


def signature(folder: Path, skip: Path | None = None) -> Signature:
    """Return what changes when anything below a folder is written, added or removed; contents are not read."""
    rows = []
    for parent, folders, files in os.walk(folder):
        if skip is not None:
            folders[:] = [name for name in folders if not skip.is_relative_to(Path(parent, name))]
        for path in (Path(parent), *map(Path(parent).joinpath, files)):
            status = path.lstat()
            relative = path.relative_to(folder).as_posix()
            rows.append((relative, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns))
    return tuple(sorted(rows))


def _protect(folder: Path) -> None:
    """Make a folder read-only for everybody; root can write all the same."""
    for parent, _, files in os.walk(folder, topdown=False):
        for path in map(Path(parent).joinpath, files):
            path.chmod(0o444)
        Path(parent).chmod(0o555)
