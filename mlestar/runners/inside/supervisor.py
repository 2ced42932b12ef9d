"""Runs inside the sandbox as `python -I -S supervisor.py SECONDS [MODULE ...]`: starts the script, writes a record.

One line of JSON on standard input, `{"mark": ..., "seconds": ...}`, is the command to run the script; a further line
aborts the script, whose Python then writes its stack. The runner keeps standard input open. When it is closed, because
the runner has ended, or when no command comes within SECONDS, the supervisor ends and the sandbox with it.
With modules, the Python process that will run the script starts at once, imports them and waits (`warm_start.py`).

The record is one line at the end of standard error that begins with the command's mark. It describes how the script
ended and is never evidence for a score. The script has the same user id, so this process closes its memory, which
has the mark, to other processes. Only the standard library, and nothing of this package, exists here.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys

OOM_FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
PEAK_FILES = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
"""Control groups version 2, then version 1."""
WARM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "warm")  # noqa: PTH100, PTH118, PTH120  # see `write`
"""Folder that has `warm_start.py` under the name `sitecustomize.py`."""
PR_SET_DUMPABLE = 4
C = ctypes.CDLL(None)


def supervise() -> None:
    C.prctl(PR_SET_DUMPABLE, 0)
    # A pipe that becomes readable when a child ends, so that `select` waits for that and for standard input together.
    child_events, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The signal of this timer has no handler and ends the process.
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
    modules = sys.argv[2:]
    child, starter = start(modules) if modules else (0, -1)
    command = json.loads(read_command(child_events))
    signal.setitimer(signal.ITIMER_REAL, command["seconds"])
    if modules:
        os.write(starter, b"\n")
    else:
        child, starter = start(modules)
    status, usage = wait_for_exit(child, child_events)
    record = {
        "exit": os.waitstatus_to_exitcode(status),
        "oom": count_oom_kills(),
        "peak": int(read(PEAK_FILES) or usage.ru_maxrss * 1024),
    }
    os.write(2, f"\n{command['mark']}{json.dumps(record)}\n".encode())


def start(modules: list[str]) -> tuple[int, int]:
    """Start the process of the script; return its id and a pipe: a line there ends the wait of a warm start."""
    waiting, starter = os.pipe()
    child = os.fork()
    if child:
        os.close(waiting)
        return child, starter
    C.prctl(PR_SET_DUMPABLE, 1)
    # The kernel then kills the script, not this process, when memory runs out.
    write("/proc/self/oom_score_adj", "1000")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    environment = dict(os.environ)
    if modules:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [WARM, environment.get("PYTHONPATH")]))
        environment["MLESTAR_WARM"] = ",".join(modules)
    os.dup2(waiting if modules else os.open("/dev/null", os.O_RDONLY), 0)
    os.execve(sys.executable, [sys.executable, "-u", "main.py"], environment)


def read_command(child_events: int) -> bytes:
    """Return the command; end this process when standard input is closed or the waiting Python ends before."""
    command = b""
    while not command.endswith(b"\n"):
        ready, _, _ = select.select([0, child_events], [], [])
        command += os.read(0, 4096) if child_events not in ready else b""
        if child_events in ready or not command:
            os._exit(1)
    return command


def wait_for_exit(child: int, child_events: int) -> tuple[int, resource.struct_rusage]:
    """Return a process's exit status and usage; end this process when standard input is closed before."""
    while True:
        process, status, usage = os.wait4(child, os.WNOHANG)
        if process:
            return status, usage
        ready, _, _ = select.select([0, child_events], [], [])
        if child_events in ready:
            os.read(child_events, 4096)
        elif os.read(0, 4096):
            os.kill(child, signal.SIGABRT)
        else:
            os._exit(1)


def write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:  # noqa: PTH123  # pathlib takes longer to import than all else here
            file.write(text)
    except OSError:
        pass


def read(paths: tuple[str, ...]) -> str:
    for path in paths:
        try:
            with open(path) as file:  # noqa: PTH123
                return file.read()
        except OSError:
            continue
    return ""


def count_oom_kills() -> int:
    fields = (line.split() for line in read(OOM_FILES).splitlines())
    return sum(int(field[1]) for field in fields if field[:1] == ["oom_kill"])


if __name__ == "__main__":
    supervise()
