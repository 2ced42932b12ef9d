"""Processes that tests start."""

import subprocess
import time
from pathlib import Path


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_for(path: Path) -> int:
    """Return the process id that is written to a file, once it is there."""
    while not path.exists() or not path.read_text(encoding="utf-8"):
        time.sleep(0.02)
    return int(path.read_text(encoding="utf-8"))


def kill_caller(command: list[str], folder: Path) -> None:
    """Start a command that starts a process, whose number it writes to `pid`; kill it, and wait for that process."""
    caller = subprocess.Popen(command, cwd=folder)
    pid = wait_for(folder / "pid")
    caller.kill()
    caller.wait()
    while not is_gone(pid):
        time.sleep(0.02)
