"""What every installer of packages needs: the limit on their number, and a turn for each lock."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.files import open_regular
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError
from mlestar.runners.work_folder import BLOCK_BYTES


def check_count(lock: Lock, limits: InstallLimits) -> None:
    """Refuse a lock with too many packages.

    Raises:
        PackageError: it has too many.
    """
    if len(lock.packages) > limits.count:
        msg = f"the declared packages need {len(lock.packages)} packages that the sandbox lacks: at most "
        msg += f"{limits.count} are added; use fewer or smaller ones"
        raise PackageError(msg)


def too_slow(requirements: tuple[str, ...], limits: InstallLimits) -> PackageError:
    """Return the error of packages that take longer than they may."""
    msg = f"adding {', '.join(requirements)} took longer than {limits.seconds:.0f} s: use smaller packages or what is "
    return PackageError(f"{msg}installed")


@contextlib.contextmanager
def exclusively(folder: Path, name: str, stop: threading.Event) -> Iterator[None]:
    """Wait until no other process or thread of this machine works under a name, and keep others waiting.

    Raises:
        RunnerError: the folder cannot be written, or nobody waits any more.
    """
    import fcntl  # other systems lack it, and this module is imported before they are refused

    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{name}.lock").open("ab")
    except OSError as error:
        msg = f"cannot write to the folder of packages {folder}: {error.strerror}; choose another `packages_dir`"
        raise RunnerError(msg) from error
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.wait(0.2):
                    msg = "adding packages was stopped"
                    raise RunnerError(msg) from None
        yield


def read_end(path: Path, limit: int) -> str:
    """Return the last bytes of what an installer has printed; nothing where there is no such file."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, 2) - limit))
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""


def used_bytes(folder: Path) -> int:
    """Return the bytes of a folder on the disk; files and folders vanish while it is measured."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_blocks * BLOCK_BYTES
    return total
