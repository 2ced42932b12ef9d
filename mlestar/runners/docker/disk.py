"""A file system for each work folder alone: the kernel then limits its size and its number of files.

Linux only, and only for root on the engine's machine: other users cannot mount one, and their folders are measured.
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
from mlestar.runners.docker.engine import is_running, process_name
from mlestar.runners.limits import MIB
from mlestar.runners.work_folder import (
    MAX_FILES,
    delete_folder,
    is_execution_folder,
    make_folders,
    new_folder_path,
)

DISK = "disk"
"""Mount point in an execution's folder. The work folder is a folder of the disk, because ext4 puts `lost+found` at the
root."""
PROCESS_FILE = "process"
"""File of an execution's folder that names the process which has mounted a disk there."""
MARGIN = 1.1
"""Size of a disk relative to what a script may write, so that the measured limit, which has a message, comes first.
Chosen by judgement; not measured."""
METADATA_MB = 16
"""Space for the file system's own records. Chosen by judgement; not measured."""
RESERVED_INODES = 480
"""Inodes beyond `MAX_FILES`, for the file system itself and for files over the limit that a script makes between two
checks. Chosen by judgement; not measured."""
MKFS_COMMAND = (
    *("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(MAX_FILES + RESERVED_INODES), "-O", "^has_journal,^resize_inode"),
    *("-E", "lazy_itable_init=1,nodiscard"),
)
MNT_DETACH = 2
"""Flag of umount2(2): unmount once nothing uses the file system any more."""


@dataclass
class Disk:
    """A file system in a deleted file: the kernel removes it when nothing has it open any more."""

    folder: Path
    """The execution's folder, in which it is mounted until it is detached."""
    size_mb: int
    """What a script may write."""
    _mounting: "subprocess.Popen[bytes] | None" = None
    _descriptor: int = -1

    def start_mount(self) -> None:
        """Start mounting; the container can be created meanwhile."""
        (self.folder / PROCESS_FILE).write_text(process_name(), encoding="utf-8")
        image = self.folder / "disk.img"
        with image.open("wb") as file:
            pieces, size = _template(self.size_mb)
            file.truncate(size)
            for offset, data in pieces:
                os.pwrite(file.fileno(), data, offset)
        command = ["mount", "-t", "ext4", "-o", "loop,nosuid,nodev,noatime", str(image), str(self.folder / DISK)]
        self._mounting = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish_mount(self) -> Path:
        """Wait until the disk is mounted; return its work folder, by a path that stays valid when it is detached.

        Raises:
            RunnerError: it cannot be mounted.
        """
        if reason := self._wait_for_mount():
            msg = f"cannot mount a work folder's disk: {reason}"
            raise RunnerError(msg)
        self._descriptor = os.open(self.folder / DISK, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        (self.folder / "disk.img").unlink()
        return self._work

    def detach(self) -> None:
        """Unmount the disk from its mount point; this process and the container, which have it open, keep it."""
        detach(self.folder / DISK)

    def close(self) -> None:
        """Unmount and close the disk; the kernel takes longer to remove it than to make it, so a thread does that."""
        self._wait_for_mount()
        self.detach()
        if self._descriptor >= 0:
            threading.Thread(target=self._remove, name="mlestar-disk").start()

    @property
    def _work(self) -> Path:
        return Path(f"/proc/{os.getpid()}/fd/{self._descriptor}/work")

    def _wait_for_mount(self) -> str:
        """Wait for the command that mounts; return why it failed, empty when it did not."""
        mounting, self._mounting = self._mounting, None
        if mounting is None:
            return ""
        _, message = mounting.communicate()
        if not mounting.returncode:
            return ""
        return message.decode(errors="replace").strip() or "no reason given"

    def _remove(self) -> None:
        # What is deleted before need not be written to the disk's file at the end.
        delete_folder(self._work)
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


def detach(mount_point: Path) -> None:
    """Unmount a folder, if anything is mounted there, as soon as nothing uses it."""
    if sys.platform == "linux" and os.getuid() == 0:
        ctypes.CDLL(None).umount2(os.fsencode(mount_point), MNT_DETACH)


def remove_stale_disks() -> None:
    """Unmount the disks of processes that were killed before they had detached them."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, mount_point, *_ = line.split()
        folder = Path(mount_point).parent
        if device.startswith("/dev/loop") and Path(mount_point).name == DISK and is_execution_folder(folder):
            with contextlib.suppress(OSError):  # another process removes it at the same time
                if not is_running((folder / PROCESS_FILE).read_text(encoding="utf-8")):
                    detach(Path(mount_point))
                    delete_folder(folder)


def can_mount(engine: str, work_dir: Path | None) -> bool:
    """Whether work folders can have disks of their own: determined by making one.

    Args:
        engine: address of the engine, which must see the mounts of this process.
        work_dir: parent of the executions' folders.
    """
    if sys.platform != "linux" or os.getuid() != 0 or not shares_mounts(engine):
        return False
    remove_stale_disks()
    folder = new_folder_path(work_dir)
    disk = Disk(folder, 16)
    try:
        make_folders(folder, DISK)
        disk.start_mount()
        disk.finish_mount()
    except (RunnerError, OSError, subprocess.SubprocessError):
        return False
    finally:
        disk.close()
        delete_folder(folder)
    return True


def shares_mounts(engine: str) -> bool:
    """Whether an engine has the mount namespace of this process; one in a container or of another user has not."""
    if not engine.startswith("unix://"):
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(engine.removeprefix("unix://"))
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return Path(f"/proc/{pid}/ns/mnt").samefile("/proc/self/ns/mnt")
    return False


@functools.cache
def _template(size_mb: int) -> tuple[tuple[tuple[int, bytes], ...], int]:
    """Return a file system with an empty work folder: its parts that are not zero, with offsets, and its size in bytes.

    Copying them into a sparse file replaces a run of `mkfs.ext4` for every script.
    """
    size = int(size_mb * MARGIN + METADATA_MB) * MIB
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        Path(folder, "work", "input").mkdir(parents=True)
        file.truncate(size)
        subprocess.run([*MKFS_COMMAND, "-d", folder, file.name], check=True, capture_output=True)
        pieces, offset = [], 0
        with contextlib.suppress(OSError):  # no more data after the offset
            while True:
                offset = os.lseek(file.fileno(), offset, os.SEEK_DATA)
                end = os.lseek(file.fileno(), offset, os.SEEK_HOLE)
                pieces.append((offset, os.pread(file.fileno(), end - offset, offset)))
                offset = end
        return tuple(pieces), size
