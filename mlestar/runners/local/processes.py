"""The processes that a local script started: finding them, their memory, ending them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "MLESTAR_EXECUTION"
"""Environment variable that names the execution: children inherit it, also those that leave the process group."""
PAGE = os.sysconf("SC_PAGE_SIZE")


def find_members(group: int, mark: str) -> dict[int, int]:
    """Return process id to resident memory in bytes, of a script's processes.

    On a Mac those are its process group; on Linux also all that carry the mark, and all that share a process namespace
    with one of them which is not ours.
    """
    return _from_proc(group, mark) if sys.platform == "linux" else _from_ps(group)


def _from_proc(group: int, mark: str) -> dict[int, int]:
    sign, found, others = f"{MARK}={mark}".encode(), set[int](), set[int]()
    for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
        try:
            # After the command name: state, parent, process group. A zombie holds no memory and needs no killing.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                marked = int(fields[2]) == group or sign in Path(f"/proc/{pid}/environ").read_bytes()
                (found if marked else others).add(pid)
        except (OSError, IndexError, ValueError):  # gone since, or another user's
            continue
    spaces = {_space(pid) for pid in found} - {_space(os.getpid()), None}
    found |= {pid for pid in others if _space(pid) in spaces} if spaces else set()
    return {pid: size for pid in found if (size := _resident(pid)) is not None}


def _space(pid: int) -> str | None:
    """Return the process namespace that a process lives in."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  # names no path
    except OSError:
        return None


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return None


def _from_ps(group: int) -> dict[int, int]:
    listing = subprocess.run(["ps", "-axo", "pid=,pgid=,rss="], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in listing.splitlines())
    return {int(pid): int(rss) * 1024 for pid, owner, rss in rows if int(owner) == group}


def count_tasks() -> int:
    """Return how many processes and threads this user has; Linux only."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208  # names suffice
        except OSError:  # gone since
            continue
    return count


def kill_members(group: int, mark: str) -> None:
    """Kill until none is left; those that fork faster than they die are given up after some rounds."""
    for turn in range(20):
        members = find_members(group, mark)
        if not members:
            return
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(turn * 0.01)  # giving back gigabytes takes a moment


def exact_memory(members: dict[int, int]) -> int:
    """Return the bytes that processes hold together, with shared pages counted once where the system tells."""
    if sys.platform != "linux":
        return sum(members.values())
    total = 0
    for pid in members:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total
