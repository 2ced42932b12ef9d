"""The host folder of one execution, and everything that is done to it without trusting what a script has left there.

`work/` in it is the folder in which the script works; `home/` has the files of this package that run inside a sandbox.
"""

import itertools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import RunnerError

MAX_FILES = 20_000
"""Files and folders of a script. Chosen by judgement; not measured."""
MAX_DEPTH = 64
"""Levels of folders of a script. Chosen by judgement; not measured."""
PREFIX = "mlestar-"
RESERVE_BYTES = 2 * 2**30
"""Bytes of a disk that scripts leave free, at most a twentieth of it. Chosen by judgement; not measured."""
HOME = "/opt/mlestar"
"""Path of `home/` in a sandbox."""
SANDBOX_UID = 10001
"""User and group id of scripts where those of this process must not be used."""
INSIDE_FILES = {"supervisor.py": "supervisor.py", "warm_start.py": "warm/sitecustomize.py"}
"""Files of `inside/` to their paths in `home/`."""
BLOCK_BYTES = 512
"""Unit of `st_blocks` on every platform."""


@dataclass(frozen=True)
class FolderUsage:
    """What a folder holds."""

    size: int
    """Bytes on disk."""
    entries: int
    incomplete: bool = False
    """Whether counting stopped at `MAX_FILES` or `MAX_DEPTH`."""


def new_folder_path(parent: Path | None) -> Path:
    """Return an unused path below `parent`, by default the system's folder for temporary files."""
    return (parent or Path(tempfile.gettempdir())).resolve() / f"{PREFIX}{uuid.uuid4().hex[:16]}"


def is_execution_folder(path: Path) -> bool:
    """Whether a path, which a label may have named, is an execution's folder of this user and may be deleted."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return path.name.startswith(PREFIX) and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def make_work_folder(folder: Path, script: str) -> Path:
    """Create an execution's folder and in it `work` with `main.py`; return the latter folder.

    Raises:
        UnicodeEncodeError: the script has characters that UTF-8 cannot encode.
        RunnerError: the folder cannot be written.
    """
    source = script.encode("utf-8")
    make_folders(folder, "work")
    write_main(folder / "work", source)
    return folder / "work"


def make_folders(folder: Path, *names: str) -> None:
    """Create an execution's folder, closed to other users, and folders in it.

    Raises:
        RunnerError: the folder cannot be written, or the disk is nearly full.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if is_disk_nearly_full(folder.parent):
            msg = f"the disk of {folder.parent} is nearly full: free some space"
            raise RunnerError(msg)
        folder.mkdir(mode=0o700)
        for name in names:
            (folder / name).mkdir()
    except OSError as error:
        msg = f"cannot prepare a work folder in {folder.parent}: {error}"
        raise RunnerError(msg) from error


def write_main(work: Path, source: bytes) -> None:
    """Write `main.py` into a work folder.

    Raises:
        RunnerError: the folder cannot be written.
    """
    try:
        (work / "main.py").write_bytes(source)
    except OSError as error:
        msg = f"cannot write the script into {work}: {error}"
        raise RunnerError(msg) from error


def make_home_folder(folder: Path) -> None:
    """Create `home` with the files that run inside a sandbox, readable whatever this process's umask."""
    home = folder / "home"
    (home / "warm").mkdir(parents=True)
    for source, target in INSIDE_FILES.items():
        shutil.copyfile(Path(__file__).with_name("inside") / source, home / target)
        (home / target).chmod(0o444)
    home.chmod(0o755)
    (home / "warm").chmod(0o755)


def is_disk_nearly_full(folder: Path) -> bool:
    """Whether the disk that holds a folder is nearly full.

    A file that is deleted while open takes space that no walk of the folder finds.
    """
    disk = os.statvfs(folder)
    reserve = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // 20)
    return disk.f_bavail * disk.f_frsize < reserve


def used_bytes(folder: Path) -> int:
    """Return the bytes in use on the disk that holds a folder."""
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def measure(folder: Path) -> FolderUsage:
    """Return what a folder holds; counting stops where the limits are exceeded in any case."""
    size = entries = 0
    try:
        root = open_closed_folder(folder)
    except OSError:
        return FolderUsage(0, 0)
    for depth, status in _walk(root, 0):
        size += status.st_blocks * BLOCK_BYTES
        entries += 1
        if entries > MAX_FILES or depth > MAX_DEPTH:
            return FolderUsage(size, entries, incomplete=True)
    return FolderUsage(size, entries)


def open_folder(path: Path | str, parent: int | None = None) -> int:
    """Open a folder for `dir_fd`, refusing links."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)


def open_closed_folder(name: Path | str, parent: int | None = None) -> int:
    """Open a folder, refusing links, also one whose mode a script has changed to hide what it holds."""
    try:
        return open_folder(name, parent)
    except PermissionError:
        if sys.platform == "linux":
            # The descriptor refers to the folder itself: a link that replaces it meanwhile is not followed.
            descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
            finally:
                os.close(descriptor)
        else:
            os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return open_folder(name, parent)


def _walk(folder: int, depth: int) -> Iterator[tuple[int, os.stat_result]]:
    """Yield (depth, status) of everything below an open folder, which is closed at the end.

    Every step uses a file descriptor, so a running script gains nothing by replacing a folder with a link.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, MAX_FILES + 1)]
        for name in names:
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield depth, status
                if stat.S_ISDIR(status.st_mode):
                    yield from _walk(open_closed_folder(name, folder), depth + 1)
            except OSError:  # deleted meanwhile, or another user's
                continue
    finally:
        os.close(folder)


def delete_folder(folder: Path) -> None:
    """Delete a folder in which nothing executes any more, whatever its names, modes and depth.

    The system's own tools are used because Python's recursion ends at a thousand levels.
    """
    remove = ["rm", "-rf", "--", str(folder)]
    if subprocess.run(remove, capture_output=True, check=False).returncode != 0:
        subprocess.run(["chmod", "-R", "u+rwx", "--", str(folder)], capture_output=True, check=False)
        subprocess.run(remove, capture_output=True, check=False)


def change_owner(work: Path, user: tuple[int, int]) -> None:
    """Make a user (user and group id) the owner of a new work folder, where this process runs as another one."""
    if user != (os.getuid(), os.getgid()):
        for path in (work, *work.iterdir()):
            os.chown(path, *user, follow_symlinks=False)


def check_readable(folder: Path, skip: Path) -> None:
    """Refuse an input that the sandbox's user cannot read, which a script would report as an error of its own.

    Args:
        folder: the input; the first 200 files and 50 folders of each folder are checked, to keep this quick.
        skip: a path below the parent of the executions' folders; the part of the input that has it is left out.

    Raises:
        RunnerError: says which file and what to do.
    """
    if os.getuid() != 0:
        return
    for root, folders, files in os.walk(folder.resolve()):
        path = _find_unreadable(Path(root), files[:200])
        if path is not None:
            msg = f"the sandbox's user cannot read {path}: run `chmod -R a+rX {folder}`"
            raise RunnerError(msg)
        folders[:] = [name for name in folders[:50] if not skip.is_relative_to(Path(root, name))]


def _find_unreadable(folder: Path, files: list[str]) -> Path | None:
    """Return the first of the files that other users cannot read, or the folder if they cannot list it."""
    for name in files:
        if not (folder / name).lstat().st_mode & 0o004:
            return folder / name
    return folder if folder.stat().st_mode & 0o005 != 0o005 else None
