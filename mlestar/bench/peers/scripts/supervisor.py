"""Runs a command on the first CPUs, and ends with its process group when whoever started it has ended.

usage: supervisor.py CPUS COMMAND...

Standard input is a pipe of which the starting process holds the other end.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    _limit_cpus(int(sys.argv[1]))
    threading.Thread(target=_wait_for_end, daemon=True).start()
    try:
        status = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be started: {error.strerror}")
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _limit_cpus(count: int) -> None:
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _wait_for_end() -> None:
    os.read(0, 1)  # `sys.stdin` would be locked when the interpreter ends
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
