"""One local process: started in a session of its own, its output read, killed with everything it started."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.limits import (
    CORE_BYTES,
    MIB,
    OOM_SCORE,
    OPEN_FILES,
    End,
    check_disk,
    exit_end,
    out_of_memory,
)
from mlestar.runners.local.processes import EXECUTION_VARIABLE, count_tasks, exact_memory, find_members, kill_members
from mlestar.runners.record import ABORT, cut_record, make_command, take_record

CHUNK = 65536
SUPERVISOR_GRACE_SECONDS = 30
"""Time after the time limit at which a supervisor ends by itself if the runner has not killed it. Chosen by
judgement; not measured."""
SPARE_PROCESSES = 64
"""Processes that this user may start meanwhile. Chosen by judgement; not measured."""

# The process sets its limits itself: a function that is called between fork and exec can deadlock in a threaded parent.
BOOTSTRAP = f"""
import os, resource, sys
size, processes = int(sys.argv[1]), int(sys.argv[2])
for name, limit in (("CORE", {CORE_BYTES}), ("NOFILE", {OPEN_FILES}), ("FSIZE", size), ("NPROC", processes)):
    number = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(number)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    if limit:
        resource.setrlimit(number, (limit, limit))
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("{OOM_SCORE}")
except OSError:
    pass
os.execvp(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Child:
    """The process of one script and everything it started; a `ScriptProcess`. Its methods block."""

    command: list[str]
    folder: Path
    """The working folder of the command."""
    environment: dict[str, str]
    limits: Limits
    output: Output
    measured_folder: Path
    mark: str = ""
    """What the line of the supervisor's record begins with; empty for a script that runs without a supervisor."""
    ended: "Future[None]" = field(default_factory=Future)
    """Done when all its processes have ended and its output is read."""
    _execution: str = field(default_factory=lambda: uuid.uuid4().hex)
    _peak_memory: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _waiter: threading.Thread | None = None

    def start(self) -> None:
        """Start the command.

        Raises:
            RunnerError: it cannot be started.
        """
        started: Future[subprocess.Popen[bytes]] = Future()
        # Bubblewrap ends with the thread that starts it, so that thread also waits for its end.
        self._waiter = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._waiter.start()
        try:
            self._process = started.result()
        except OSError as error:
            msg = f"cannot start {self.command[0]}: {error}"
            raise RunnerError(msg) from error

    def send_script(self) -> None:
        """Send the supervisor the command to run the script; without a supervisor it runs already."""
        if self.mark:
            self._write(make_command(self.mark, self.limits.seconds + SUPERVISOR_GRACE_SECONDS))

    def check_limits(self) -> End | None:
        """Return the end of a script that has nearly filled the disk, or has too much memory or too many processes."""
        return check_disk(self.measured_folder) or self._check_members()

    def abort(self) -> None:
        """Make the script write its stack and end."""
        if self.mark:
            self._write(ABORT)
        elif self._process is not None:
            with contextlib.suppress(OSError):  # it ended by itself
                os.kill(self._process.pid, signal.SIGABRT)

    def wait(self) -> End:
        """Return how the script ended, by its exit status or by the supervisor's record."""
        code = self._process.returncode if self._process else 0
        if not self.mark:
            return exit_end(code, self._peak_memory or None)
        end = take_record(self.output, self.mark, code, self.limits)
        if end is None:
            return End("killed", code, "the script's supervisor ended before the script did")
        return replace(end, peak_memory=max(end.peak_memory or 0, self._peak_memory))

    def remove(self) -> None:
        """Kill all processes of the script."""
        if self._process is not None and self._waiter is not None:
            kill_members(self._process.pid, self._execution)
            self._waiter.join(10)
        if self.mark:
            cut_record(self.output, self.mark)

    def _check_members(self) -> End | None:
        if self._process is None:
            return None
        limits, members = self.limits, find_members(self._process.pid, self._execution)
        self._peak_memory = max(self._peak_memory, sum(members.values()))
        if len(members) > limits.pids:
            detail = f"the script started more than {limits.pids} processes"
            return End("killed", detail=detail, peak_memory=self._peak_memory)
        limit = limits.memory_mb * MIB
        if sum(members.values()) > limit and exact_memory(members) > limit:
            return out_of_memory(limits, self._peak_memory)
        return None

    def _write(self, data: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):  # it ended by itself; its end is reported by `ended`
            self._process.stdin.write(data)

    def _run(self, started: "Future[subprocess.Popen[bytes]]") -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BOOTSTRAP, *self._rlimits(), *self.command],
                cwd=self.folder,
                env={**self.environment, EXECUTION_VARIABLE: self._execution},
                bufsize=0,
                stdin=subprocess.PIPE if self.mark else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(process)
        self._wait_for_exit(process)

    def _rlimits(self) -> tuple[str, str]:
        """Return the limits on the bytes of a file, and in a sandbox on this user's processes (0: none)."""
        processes = count_tasks() + self.limits.pids + SPARE_PROCESSES if self.mark else 0
        return str(self.limits.disk_mb * MIB), str(processes)

    def _wait_for_exit(self, process: "subprocess.Popen[bytes]") -> None:
        closing = threading.Event()
        reader = threading.Thread(target=self._read_output, args=(process, closing), daemon=True)
        reader.start()
        process.wait()
        # Before the output is read to its end: a grandchild may keep the pipes open for ever.
        kill_members(process.pid, self._execution)
        closing.set()
        reader.join()
        self.ended.set_result(None)

    def _read_output(self, process: "subprocess.Popen[bytes]", closing: threading.Event) -> None:
        with process, selectors.DefaultSelector() as selector:
            for pipe, capture in ((process.stdout, self.output.stdout), (process.stderr, self.output.stderr)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, capture)
            while selector.get_map():
                last = closing.is_set()
                ready = selector.select(0.1)
                if last and not ready:
                    return
                for key, _ in ready:
                    data = os.read(key.fd, CHUNK)
                    if data:
                        key.data.feed(data)
                    else:
                        selector.unregister(key.fileobj)
