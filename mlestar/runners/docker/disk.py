"""A file system of its own for each work folder: the kernel then bounds its size and its number of files.

Linux only, and only for root on the engine's own machine: others may mount nothing, and their work folders are watched.
"""

import contextlib
import ctypes
import functools
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.docker.engine import lives, own_process
from mlestar.runners.limits import MIB
from mlestar.runners.work_folder import MAX_FILES, delete_folder, is_execution_folder, make_folders, new_folder_path

DISK = "disk"
MAKER = "maker"
"""File of a workplace that names the process that mounts a disk there."""
"""Name of the mount point in a workplace; the work folder lies below it, beside what a file system has at its root."""
SLACK = 1.1
"""Size of a disk to what a script may write: a margin in which the watch, which names the limit, comes first."""
RECORDS_MB = 16
FORMAT = (
    *("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(MAX_FILES + 480), "-O", "^has_journal,^resize_inode"),
    *("-E", "lazy_itable_init=1,nodiscard"),
)
MNT_DETACH = 2


@dataclass
class Disk:
    """A file system in a file that has no name any more: nothing remains of it once nobody holds it open."""

    place: Path
    """The workplace whose folder `disk` it is mounted on until it is detached."""
    size_mb: int
    """What a script may write."""
    _mounting: "subprocess.Popen[bytes] | None" = None
    _held: int = -1

    def begin(self) -> None:
        """Start mounting; meanwhile the engine can be told where the disk will be."""
        (self.place / MAKER).write_text(own_process(), encoding="utf-8")
        image = self.place / "disk.img"
        with image.open("wb") as file:
            pieces, size = _template(self.size_mb)
            file.truncate(size)
            for offset, data in pieces:
                os.pwrite(file.fileno(), data, offset)
        command = ["mount", "-t", "ext4", "-o", "loop,nosuid,nodev,noatime", str(image), str(self.place / DISK)]
        self._mounting = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(self) -> Path:
        """Wait until the disk is mounted; return its work folder, by a path that outlives the mount point.

        Raises:
            RunnerError: it cannot be mounted.
        """
        if said := self._mounted():
            msg = f"cannot mount a work folder's disk: {said}"
            raise RunnerError(msg)
        self._held = os.open(self.place / DISK, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        (self.place / "disk.img").unlink()
        return self._work

    def _mounted(self) -> str:
        """Wait for the command that mounts; return why it failed."""
        mounting, self._mounting = self._mounting, None
        if mounting is None:
            return ""
        _, said = mounting.communicate()
        return said.decode(errors="replace").strip() or "no reason given" if mounting.returncode else ""

    @property
    def _work(self) -> Path:
        return Path(f"/proc/{os.getpid()}/fd/{self._held}/work")

    def detach(self) -> None:
        """Take the disk off its mount point: whoever has it open, we and a container, keeps it."""
        detach(self.place / DISK)

    def close(self) -> None:
        """Give the disk up; taking it down costs the kernel more than making it, so nobody waits for that."""
        self._mounted()
        self.detach()
        if self._held >= 0:
            threading.Thread(target=self._take_down, name="mlestar-disk").start()

    def _take_down(self) -> None:
        # What is deleted need not be written out first.
        delete_folder(self._work)
        held, self._held = self._held, -1
        os.close(held)


def detach(folder: Path) -> None:
    """Unmount a folder, if anything is mounted there, as soon as nobody uses it."""
    if sys.platform == "linux" and os.getuid() == 0:
        ctypes.CDLL(None).umount2(os.fsencode(folder), MNT_DETACH)


def sweep() -> None:
    """Take down the disks of processes that were killed before they had taken them off their mount points."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, point, *_ = line.split()
        place = Path(point).parent
        if device.startswith("/dev/loop") and Path(point).name == DISK and is_execution_folder(place):
            with contextlib.suppress(OSError):  # another process sweeps, too
                if not lives((place / MAKER).read_text(encoding="utf-8")):
                    detach(Path(point))
                    delete_folder(place)


def can_mount(engine: str, work_dir: Path | None) -> bool:
    """Whether work folders can have disks of their own: found out by making one.

    Args:
        engine: address of the engine, which must see our mounts.
        work_dir: parent of the work folders.
    """
    if sys.platform != "linux" or os.getuid() != 0 or not _shares_mounts(engine):
        return False
    sweep()
    place = new_folder_path(work_dir)
    disk = Disk(place, 16)
    try:
        make_folders(place, DISK)
        disk.begin()
        disk.finish()
    except (RunnerError, OSError, subprocess.SubprocessError):
        return False
    finally:
        disk.close()
        delete_folder(place)
    return True


def _shares_mounts(engine: str) -> bool:
    """Whether an engine lives in our mount namespace; one in a container or in another user's does not."""
    if not engine.startswith("unix://"):
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.connect(engine.removeprefix("unix://"))
        pid, _, _ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return Path(f"/proc/{pid}/ns/mnt").samefile("/proc/self/ns/mnt")
    return False


@functools.cache
def _template(size_mb: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """Return the pieces of a file system with an empty work folder that are not zero, and its size in bytes."""
    size = int(size_mb * SLACK + RECORDS_MB) * MIB
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        Path(folder, "work", "input").mkdir(parents=True)
        file.truncate(size)
        subprocess.run([*FORMAT, "-d", folder, file.name], check=True, capture_output=True)
        pieces, offset = [], 0
        with contextlib.suppress(OSError):  # no data after the offset
            while True:
                offset = os.lseek(file.fileno(), offset, os.SEEK_DATA)
                end = os.lseek(file.fileno(), offset, os.SEEK_HOLE)
                pieces.append((offset, os.pread(file.fileno(), end - offset, offset)))
                offset = end
        return tuple(pieces), size
