"""Runs inside the sandbox as `python -I -S supervisor.py SECONDS [MODULE ...]`: starts the script, writes a record.

One line of JSON on standard input, `{"mark": ..., "seconds": ..., "gpus": [...]}`, is the command to run the script; a
further line aborts the script, whose Python then writes its stack. The runner keeps standard input open. When it is
closed, because the runner has ended, or when no command comes within SECONDS, the supervisor ends and the sandbox with
it.
With modules, the Python process that will run the script starts at once, imports them and waits (`warm_start.py`).

The record is one line at the end of standard error that begins with the command's mark. It describes how the script
ended and is never evidence for a score. Only the standard library, and nothing of this package, exists here.

The script has the same user id. So this process closes its memory, which has the mark, and its descriptors, one of
which is the standard input above, to other processes. It has process id 1, so the kernel gives it no signal from the
sandbox that it does not handle, not even SIGKILL or SIGSTOP, and ends the sandbox when it ends.
"""

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

OOM_FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
PEAK_FILES = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
"""cgroup v2, then cgroup v1."""
WARM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "warm")  # noqa: PTH100, PTH118, PTH120  # see `write`
"""Folder that has `warm_start.py` under the name `sitecustomize.py`."""
LOCKS_FILE = "/proc/locks"
"""A line for each lock that processes of this sandbox have on files."""
MAX_LOCKS = 10_000
"""Locks that a script may have: their memory counts for no container. 1.4 million, made in 8 s, took 300 MB."""
LOOK_SECONDS = 1.0
"""Time between two counts of locks. Chosen by judgement; not measured."""
USAGE = ["nvidia-smi", "--query-gpu=uuid,memory.used", "--format=csv,noheader,nounits", "--loop-ms=500"]
"""Prints the memory in use on every device, again and again. The interval is chosen by judgement; not measured."""
PR_SET_DUMPABLE = 4
C = ctypes.CDLL(None)


def supervise() -> None:
    C.prctl(PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A pipe that becomes readable when a child ends, so that `select` waits for that and for standard input together.
    child_events, wakeup = os.pipe()
    os.set_blocking(child_events, False)
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    end_after(float(sys.argv[1]))
    modules = sys.argv[2:]
    child, starter = start(modules) if modules else (0, -1)
    command = json.loads(read_command(child, child_events))
    end_after(command["seconds"])
    if modules:
        os.write(starter, b"\n")
    else:
        child, starter = start(modules)
    meter = Meter(command["gpus"])
    status, usage = wait_for_exit(child, child_events, meter)
    meter.read()
    record = {
        "exit": os.waitstatus_to_exitcode(status),
        "oom": count_oom_kills(),
        "peak": int(read(PEAK_FILES) or usage.ru_maxrss * 1024),
        "gpu": meter.peak_mb,
    }
    os.write(2, f"\n{command['mark']}{json.dumps(record)}\n".encode())


def end_after(seconds: float) -> None:
    """End this process after some seconds, whatever it is doing then."""
    deadline = time.monotonic() + seconds

    def end_if_due(*_: object) -> None:
        if time.monotonic() >= deadline:  # a script can send this signal earlier
            os._exit(1)

    signal.signal(signal.SIGALRM, end_if_due)
    # Repeated, because a timer may end a moment before the clock says so.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)


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
    for ignored in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(ignored, signal.SIG_DFL)
    environment = dict(os.environ)
    if modules:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [WARM, environment.get("PYTHONPATH")]))
        environment["MLESTAR_WARM"] = ",".join(modules)
    os.dup2(waiting if modules else os.open("/dev/null", os.O_RDONLY), 0)
    os.execve(sys.executable, [sys.executable, "-u", "main.py"], environment)


def read_command(child: int, child_events: int) -> bytes:
    """Return the command; end this process when standard input is closed or the waiting Python ends before."""
    command = b""
    while not command.endswith(b"\n"):
        exited = reap()[0] if child else 0
        if child and exited == child:
            os._exit(1)
        if 0 not in wait_for_event(child_events, pause=not exited):
            continue
        piece = os.read(0, 4096)
        if not piece:
            os._exit(1)
        command += piece
    return command


def wait_for_exit(child: int, child_events: int, meter: "Meter") -> tuple[int, resource.struct_rusage]:
    """Return a process's exit status and usage; end this process when standard input is closed before."""
    looked = time.monotonic()
    while True:
        exited, status, usage = reap()
        if exited == child:
            return status, usage
        if time.monotonic() >= looked + LOOK_SECONDS:
            end_if_too_many_locks()
            meter.read()
            looked = time.monotonic()
        # Standard input is looked at in every round: a script may keep this process busy with children and signals.
        if 0 in wait_for_event(child_events, pause=not exited):
            if not os.read(0, 4096):
                os._exit(1)
            os.kill(child, signal.SIGABRT)


def reap() -> tuple[int, int, resource.struct_rusage]:
    """Return the id, status and usage of an ended child, or of an ended orphan of the sandbox; the id 0 for none."""
    return os.wait4(-1, os.WNOHANG)


def wait_for_event(child_events: int, *, pause: bool) -> list[int]:
    """Return what can be read: standard input, or that a child has ended; without a pause, only what is there now."""
    ready, _, _ = select.select([0, child_events], [], [], LOOK_SECONDS if pause else 0)
    if child_events in ready:
        os.read(child_events, 4096)
    return ready


class Meter:
    """The largest memory in use on one of the script's GPUs, as `nvidia-smi` prints it again and again."""

    def __init__(self, uuids: list[str]) -> None:
        self.peak_mb = 0
        self._uuids = [uuid.encode() for uuid in uuids]
        self._pipe = start_usage() if uuids else -1
        self._rest = b""

    def read(self) -> None:
        """Take what has been printed since the last time."""
        try:
            data = os.read(self._pipe, 65536) if self._pipe >= 0 else b""
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest[-200:] + data).split(b"\n")
        for line in lines:
            uuid, _, used = line.partition(b",")
            if uuid.strip() in self._uuids and used.strip().isdigit():
                self.peak_mb = max(self.peak_mb, int(used))


def start_usage() -> int:
    """Start `nvidia-smi`, which the engine mounts with the devices; return the pipe it writes to, -1 without it."""
    pipe, output = os.pipe()
    os.set_blocking(pipe, False)
    nothing = os.open("/dev/null", os.O_RDWR)
    try:
        # Without this process's standard input, which no other may have.
        actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, output, 1)]
        actions.append((os.POSIX_SPAWN_DUP2, nothing, 2))
        os.posix_spawnp(USAGE[0], USAGE, os.environ, file_actions=actions)
    except OSError:
        return -1
    finally:
        os.close(output)
        os.close(nothing)
    return pipe


def end_if_too_many_locks() -> None:
    try:
        with open(LOCKS_FILE, "rb") as file:  # noqa: PTH123
            too_many = sum(1 for _ in zip(file, range(MAX_LOCKS + 1), strict=False)) > MAX_LOCKS
    except OSError:
        return
    if too_many:
        os.write(2, f"\nThe script was ended: it had more than {MAX_LOCKS} locks on files.\n".encode())
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
