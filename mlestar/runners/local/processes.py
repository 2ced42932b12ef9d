"""The processes of a local script: finding them, their memory, killing them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

EXECUTION_VARIABLE = "MLESTAR_EXECUTION"
"""Environment variable that names the execution: children inherit it, also those that leave the process group."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def find_members(group: int, execution: str) -> dict[int, int]:
    """Return process id to resident memory in bytes, of a script's processes.

    On a Mac those are its process group; on Linux also all that name the execution in their environment, what these
    have started, and all in their process namespaces, except the namespace of this process.
    """
    return _from_proc(group, execution) if sys.platform == "linux" else _from_ps(group)


def _from_proc(group: int, execution: str) -> dict[int, int]:
    variable, members, others = f"{EXECUTION_VARIABLE}={execution}".encode(), set[int](), dict[int, int]()
    for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
        try:
            # After the command name: state, parent, process group. A zombie has no memory and cannot be killed.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                if int(fields[2]) == group or variable in _environment(pid):
                    members.add(pid)
                else:
                    others[pid] = int(fields[1])
        except (OSError, IndexError, ValueError):  # ended meanwhile, or another user's
            continue
    # The supervisor of a sandbox hides its environment and its namespaces, and its children have no such variable.
    while children := {pid for pid, parent in others.items() if parent in members} - members:
        members |= children
    namespaces = {_namespace(pid) for pid in members} - {_namespace(os.getpid()), None}
    if namespaces:
        members |= {pid for pid in others if _namespace(pid) in namespaces}
    sizes = {pid: _resident(pid) for pid in members}
    return {pid: size for pid, size in sizes.items() if size is not None}


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:  # another user's, or hidden like that of a supervisor
        return b""


def _namespace(pid: int) -> str | None:
    """Return the process namespace of a process."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  # names no path
    except OSError:
        return None


def _resident(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return None


def _from_ps(group: int) -> dict[int, int]:
    listing = subprocess.run(["ps", "-axo", "pid=,pgid=,rss="], capture_output=True, text=True, check=False).stdout
    rows = [[int(field) for field in line.split()] for line in listing.splitlines()]
    return {pid: kibibytes * 1024 for pid, process_group, kibibytes in rows if process_group == group}


def count_tasks() -> int:
    """Return how many processes and threads this user has; Linux only."""
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208  # names suffice
        except OSError:  # ended meanwhile
            continue
    return count


def kill_members(group: int, execution: str) -> None:
    """Kill the processes of a script until none is left, in at most 20 rounds: some may fork faster than they die."""
    for turn in range(20):
        members = find_members(group, execution)
        if not members:
            return
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(turn * 0.01)  # freeing gigabytes takes a moment


def exact_memory(members: dict[int, int]) -> int:
    """Return the memory of processes together in bytes; Linux counts shared pages once."""
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
