"""Run a command that ends with its caller, however that ends: a benchmark leaves no process behind.

This file is a program too, `python watched.py COMMAND...`, of the standard library alone. It runs the command in a
session of its own. When the command ends, when its standard input closes, which the system does when the caller is
gone, or after the time limit, it kills the process group of the command, and on Linux also what has left that group.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

TIMED_OUT = "t"
"""What the caller writes when the time is over."""
MAX_LOG = 2**26
"""Bytes of a log beyond which it begins anew. Chosen by judgement; not measured."""
_LOOK_SECONDS = 1.0
"""Between looks at the size of the log. Chosen by judgement; not measured."""
_SET_CHILD_SUBREAPER = 36
"""Of `prctl` in Linux: processes whose parent ended become children of this one."""
_ROUNDS, _ROUND_SECONDS = 100, 0.01
"""Of killing: some processes fork faster than they die. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    """Its exit status; negative: the signal that ended it."""
    timed_out: bool


def run_watched(
    command: Sequence[str | Path],
    *,
    output: Path | None = None,
    log: Path,
    seconds: float | None,
    grace: float = 0.0,
    cpus: int = 0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end; it is killed with all that it started when this process ends or time is over.

    Args:
        command: the program and its arguments.
        output: file for its standard output, which is replaced; None: it goes to the log.
        log: file to which its standard error is appended; beyond `MAX_LOG` it begins anew.
        seconds: after which it is asked to end, with SIGTERM; None: never.
        grace: seconds after which it is killed then.
        cpus: how many CPUs it may use, where the system can limit them; 0: all.
        cwd: the folder it runs in.
        env: its environment.
    """
    watcher = [sys.executable, "-I", str(Path(__file__)), str(grace), str(cpus), *map(str, command)]
    with log.open("ab") as err, nullcontext(err) if output is None else output.open("wb") as out:
        process = subprocess.Popen(
            watcher, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=cwd, env=env, start_new_session=True
        )
    timed_out = False
    with process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            if process.stdin:
                with suppress(OSError):  # it has just ended
                    process.stdin.write(TIMED_OUT.encode())
                    process.stdin.flush()
            process.wait()
    return Ended(process.returncode, timed_out)


def main() -> None:
    """Run the command of the arguments."""
    grace, cpus, *command = sys.argv[1:]
    _limit_cpus(int(cpus))
    _adopt_orphans()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")
    ended = threading.Event()
    threading.Thread(target=_follow, args=(process.pid, float(grace), ended), daemon=True).start()
    threading.Thread(target=_limit_log, args=(ended,), daemon=True).start()
    status = _wait(process)
    ended.set()
    _kill(process.pid)
    if status < 0:
        _end_by(-status)
    os._exit(status)


def _limit_cpus(count: int) -> None:
    if count and hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _adopt_orphans() -> None:
    """Become the parent of what the command started and left, so that it can be found."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # no such library, or none with `prctl`
            ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Return the status of the command when it ends; orphans that end meanwhile are forgotten."""
    if sys.platform != "linux":  # where orphans are not adopted
        return process.wait()
    while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)) and dead.si_pid != process.pid:
        os.waitpid(dead.si_pid, 0)
    return process.wait()


def _end_by(number: int) -> None:
    """End by the signal that ended the command, so that the caller sees it."""
    with suppress(OSError):  # the kill signal cannot be handled
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _follow(group: int, grace: float, ended: threading.Event) -> None:
    """End the command when something arrives on standard input, and kill it when standard input closes."""
    if os.read(0, 1):
        _signal_group(group, signal.SIGTERM)
        ended.wait(grace)
    _kill(group)


def _limit_log(ended: threading.Event) -> None:
    """Empty the log whenever it is too large; all that write to it add to its end."""
    while not ended.wait(_LOOK_SECONDS):
        if os.fstat(2).st_size > MAX_LOG:
            with suppress(OSError):  # the disk may be full
                os.ftruncate(2, 0)
                os.write(2, f"[more than {MAX_LOG} bytes before this were cut]\n".encode())


def _kill(group: int) -> None:
    """Kill the group of the command, and all that it started elsewhere, until nothing is left."""
    _signal_group(group, signal.SIGKILL)
    for _ in range(_ROUNDS):
        left = _descendants()
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_SECONDS)


def _descendants() -> set[int]:
    """Return the running processes below this one; Linux only."""
    if sys.platform != "linux":
        return set()
    parents = dict(filter(None, map(_parent, Path("/proc").glob("[0-9]*"))))
    found, newest = set[int](), {os.getpid()}
    while newest := {pid for pid, parent in parents.items() if parent in newest} - found:
        found |= newest
    return found


def _parent(folder: Path) -> tuple[int, int] | None:
    """Return a process and its parent; None for one that has ended."""
    try:
        # After the command name: state, parent.
        state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):  # it has ended meanwhile
        return None
    return None if state in "ZX" else (int(folder.name), int(parent))


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    main()
