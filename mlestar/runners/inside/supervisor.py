"""Runs inside the sandbox as `python -I -S supervisor.py SECONDS [MODULE ...]`: starts the script, leaves a record.

Standard input is its lifeline. One line of JSON, `{"mark": ..., "seconds": ...}`, orders the script to run; the end of
the lifeline, or SECONDS without an order, ends the supervisor and with it the sandbox: nothing outlives its keeper.
A further line aborts the script, whose Python then writes where it stands.
With modules, a Python that is to become the script starts at once, imports them and waits at the gate (`gate.py`).

The record is one marked line at the end of standard error. It is a hint for the verdict, never evidence for a score.
The script has the same user id, so this process closes its memory, where the mark is, to all processes.
Only the standard library, and nothing of this package, exists here.
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
"""Folder that holds `gate.py` under the name `sitecustomize.py`."""
PR_SET_DUMPABLE = 4
C = ctypes.CDLL(None)


def main() -> None:
    C.prctl(PR_SET_DUMPABLE, 0)
    bell, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Unhandled, its signal ends the process.
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
    modules = sys.argv[2:]
    child, gate = start(modules) if modules else (0, -1)
    order = json.loads(hear_order(bell))
    signal.setitimer(signal.ITIMER_REAL, order["seconds"])
    if modules:
        os.write(gate, b"\n")
    else:
        child, gate = start(modules)
    status, usage = outlive(child, bell)
    record = {
        "exit": os.waitstatus_to_exitcode(status),
        "oom": oom_kills(),
        "peak": int(read(PEAK_FILES) or usage.ru_maxrss * 1024),
    }
    os.write(2, f"\n{order['mark']}{json.dumps(record)}\n".encode())


def start(modules: list[str]) -> tuple[int, int]:
    """Return the process of the script and the end of the pipe that opens its gate."""
    gate, opener = os.pipe()
    child = os.fork()
    if child:
        os.close(gate)
        return child, opener
    C.prctl(PR_SET_DUMPABLE, 1)
    # The kernel then picks the script, not this process, when memory runs out.
    write("/proc/self/oom_score_adj", "1000")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    environment = dict(os.environ)
    if modules:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [WARM, environment.get("PYTHONPATH")]))
        environment["MLESTAR_WARM"] = ",".join(modules)
    os.dup2(gate if modules else os.open("/dev/null", os.O_RDONLY), 0)
    os.execve(sys.executable, [sys.executable, "-u", "main.py"], environment)


def hear_order(bell: int) -> bytes:
    """Return the order; ends the process when the lifeline ends or the waiting Python dies before."""
    order = b""
    while not order.endswith(b"\n"):
        ready, _, _ = select.select([0, bell], [], [])
        order += os.read(0, 4096) if bell not in ready else b""
        if bell in ready or not order:
            os._exit(1)
    return order


def outlive(child: int, bell: int) -> tuple[int, resource.struct_rusage]:
    """Return how a process ended and what it used; ends this one when the lifeline ends before."""
    while True:
        process, status, usage = os.wait4(child, os.WNOHANG)
        if process:
            return status, usage
        ready, _, _ = select.select([0, bell], [], [])
        if bell in ready:
            os.read(bell, 4096)
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


def oom_kills() -> int:
    fields = (line.split() for line in read(OOM_FILES).splitlines())
    return sum(int(field[1]) for field in fields if field[:1] == ["oom_kill"])


if __name__ == "__main__":
    main()
