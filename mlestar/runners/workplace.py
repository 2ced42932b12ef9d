"""The host folder that a script works in, and everything that is done to it without trusting what lies there."""

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
MAX_DEPTH = 64
PREFIX = "mlestar-"
RESERVE = 2 * 2**30
"""Bytes of a disk that scripts leave free, at most a twentieth of it."""
OWN_FILES = {"supervisor.py": "supervisor.py", "warm_start.py": "warm/sitecustomize.py"}
"""Files of `inside/` to their places in a sandbox's folder of ours."""
BLOCK = 512
"""Unit of `st_blocks`, in bytes, on every platform."""


@dataclass(frozen=True)
class Usage:
    """What lies in a folder: bytes on disk, entries, and whether the walk was cut short."""

    size: int
    entries: int
    endless: bool = False


def name_workplace(parent: Path | None) -> Path:
    """Return a path of its own below `parent`, by default the system's folder for temporary files."""
    return (parent or Path(tempfile.gettempdir())).resolve() / f"{PREFIX}{uuid.uuid4().hex[:16]}"


def is_workplace(path: Path) -> bool:
    """Whether a path that somebody names is a folder of ours, which may be deleted."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return path.name.startswith(PREFIX) and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def make_workplace(place: Path, script: str) -> Path:
    """Create `place` and in it the folder `work` with `main.py`; return the latter folder.

    Raises:
        UnicodeEncodeError: the script holds characters that no file can.
        RunnerError: the folder cannot be written.
    """
    source = script.encode("utf-8")
    make_folders(place, "work")
    return write_script(place / "work", source)


def make_folders(place: Path, *names: str) -> None:
    """Create `place`, closed to other users, and folders in it.

    Raises:
        RunnerError: the folder cannot be written, or the disk is nearly full.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if is_scarce(place.parent):
            msg = f"the disk of {place.parent} is nearly full: free some space"
            raise RunnerError(msg)
        place.mkdir(mode=0o700)
        for name in names:
            (place / name).mkdir()
    except OSError as error:
        msg = f"cannot prepare a work folder in {place.parent}: {error}"
        raise RunnerError(msg) from error


def write_script(work: Path, source: bytes) -> Path:
    """Write `main.py` into a work folder and return the folder.

    Raises:
        RunnerError: the folder cannot be written.
    """
    try:
        (work / "main.py").write_bytes(source)
    except OSError as error:
        msg = f"cannot write the script into {work}: {error}"
        raise RunnerError(msg) from error
    return work


def put_own_files(place: Path) -> None:
    """Make the folder `home` with the files of this package that run inside a sandbox, readable whatever our umask."""
    (place / "home" / "warm").mkdir(parents=True)
    for source, target in OWN_FILES.items():
        shutil.copyfile(Path(__file__).with_name("inside") / source, place / "home" / target)
        (place / "home" / target).chmod(0o444)
    for folder in ("home", "home/warm"):
        (place / folder).chmod(0o755)


def is_scarce(folder: Path) -> bool:
    """Whether the disk that holds a folder is nearly full.

    A file that is deleted while open takes space that no walk of the folder finds.
    """
    disk = os.statvfs(folder)
    reserve = min(RESERVE, disk.f_blocks * disk.f_frsize // 20)
    return disk.f_bavail * disk.f_frsize < reserve


def taken(folder: Path) -> int:
    """Return the bytes in use on the disk that holds a folder."""
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def measure(folder: Path) -> Usage:
    """Return what a folder holds; stops counting where nobody would need to know more."""
    size = entries = 0
    try:
        root = open_closed(folder)
    except OSError:
        return Usage(0, 0)
    for depth, status in _walk(root, 0):
        size += status.st_blocks * BLOCK
        entries += 1
        if entries > MAX_FILES or depth > MAX_DEPTH:
            return Usage(size, entries, endless=True)
    return Usage(size, entries)


def open_folder(path: Path | str, parent: int | None = None) -> int:
    """Open a folder for `dir_fd`, refusing links."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)


def open_closed(name: Path | str, parent: int | None = None) -> int:
    """Open a folder, refusing links, also one that its owner has closed to hide what it holds."""
    try:
        return open_folder(name, parent)
    except PermissionError:
        if sys.platform == "linux":
            # Holds the folder itself, so that a link that takes its name meanwhile is not followed.
            held = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                Path(f"/proc/self/fd/{held}").chmod(0o700)
            finally:
                os.close(held)
        else:
            os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return open_folder(name, parent)


def _walk(folder: int, depth: int) -> Iterator[tuple[int, os.stat_result]]:
    """Yield (depth, status) of everything below an open folder, which is closed at the end.

    Every step goes through a file descriptor: a running script that swaps a folder for a link leads nowhere.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry, _ in zip(found, range(MAX_FILES + 1), strict=False)]
        for name in names:
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield depth, status
                if stat.S_ISDIR(status.st_mode):
                    yield from _walk(open_closed(name, folder), depth + 1)
            except OSError:  # gone since, or closed to us
                continue
    finally:
        os.close(folder)


def scrub(folder: Path) -> None:
    """Delete a folder whatever its names, modes and depth.

    The system's own tools are used because Python's recursion ends at a thousand levels. Only a folder in which
    nothing executes any more may be scrubbed.
    """
    remove = ["rm", "-rf", "--", str(folder)]
    if subprocess.run(remove, capture_output=True, check=False).returncode != 0:
        subprocess.run(["chmod", "-R", "u+rwx", "--", str(folder)], capture_output=True, check=False)
        subprocess.run(remove, capture_output=True, check=False)


def hand_over(work: Path, user: tuple[int, int]) -> None:
    """Make the user of the sandbox the owner of a fresh work folder, where that is another one than ours."""
    if user != (os.getuid(), os.getgid()):
        for path in (work, *work.iterdir()):
            os.chown(path, *user, follow_symlinks=False)


def check_readable(folder: Path, avoid: Path) -> None:
    """Refuse an input that the sandbox's user cannot read, which a script would report as an error of its own.

    Args:
        folder: the input, of which the first files of each folder are looked at.
        avoid: a folder of ours; the part of the input that holds it is left out.

    Raises:
        RunnerError: says which file and what to do.
    """
    if os.getuid() != 0:
        return
    for place, folders, files in os.walk(folder.resolve()):
        closed = [path for path in map(Path(place).joinpath, files[:200]) if not path.lstat().st_mode & 0o004]
        closed += [Path(place)] if Path(place).stat().st_mode & 0o005 != 0o005 else []
        if closed:
            msg = f"the sandbox's user cannot read {closed[0]}: run `chmod -R a+rX {folder}`"
            raise RunnerError(msg)
        folders[:] = [name for name in folders[:50] if not avoid.is_relative_to(Path(place, name))]
