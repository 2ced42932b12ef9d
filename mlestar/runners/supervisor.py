"""Runs inside the container as `python -I -S supervisor.py MARK SECONDS`: starts the script, waits, leaves a record.

The record is one marked line at the end of standard error. It is a hint for the verdict, never evidence for a score:
the script has the same user id and could forge it. Only the standard library, and nothing of this package, exists here.
"""

import json
import os
import signal
import sys

OOM_FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
PEAK_FILES = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
"""Control groups version 2, then version 1."""


def start() -> int:
    child = os.fork()
    if child:
        return child
    # The kernel then picks the script, not this process, when memory runs out.
    write("/proc/self/oom_score_adj", "1000")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-u", "main.py"])


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


def main() -> None:
    mark, seconds = sys.argv[1], float(sys.argv[2])
    # Ends the container when the process that should end it is gone.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _, status, usage = os.wait4(start(), 0)
    record = {
        "exit": os.waitstatus_to_exitcode(status),
        "oom": oom_kills(),
        "peak": int(read(PEAK_FILES) or usage.ru_maxrss * 1024),
    }
    os.write(2, f"\n{mark}{json.dumps(record)}\n".encode())


if __name__ == "__main__":
    main()
