"""Run a command that ends with its caller, however that ends: a benchmark leaves no process behind.

This file is a program too, `python watched.py COMMAND...`, of the standard library alone. It runs the command in a
session of its own and kills the whole process group when its standard input closes, which the system does when the
caller is gone, or after the time limit.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

TIMED_OUT = "t"
"""What the caller writes when the time is over."""


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
    """Run a command to its end; it is killed with all processes of its group when this process ends or time is over.

    Args:
        command: the program and its arguments.
        output: file for its standard output, which is replaced; None: it goes to the log.
        log: file to which its standard error is appended.
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
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be started: {error.strerror}")
    threading.Thread(target=_follow, args=(process, float(grace)), daemon=True).start()
    status = process.wait()
    _signal_group(process.pid, signal.SIGKILL)
    if status < 0:
        _end_by(-status)
    os._exit(status)


def _limit_cpus(count: int) -> None:
    if count and hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _end_by(number: int) -> None:
    """End by the signal that ended the command, so that the caller sees it."""
    with suppress(OSError):  # the kill signal cannot be handled
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _follow(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """End the command when something arrives on standard input, and kill it when standard input closes."""
    if os.read(0, 1):
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    main()
