"""One local process: started in a session of its own, read, ended with everything it started."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.local.processes import MARK, count_tasks, exact_memory, find_members, kill_members
from mlestar.runners.record import ABORT
from mlestar.runners.watch import CORE, MIB, End, out_of_memory

OPEN_FILES = 4096
CHUNK = 65536
SPARE = 64
"""Processes that this user may start meanwhile."""

# Sets the limits in the process itself: a function called between fork and exec can deadlock in a threaded parent.
BOOTSTRAP = f"""
import os, resource, sys
size, processes = int(sys.argv[1]), int(sys.argv[2])
for name, wanted in (("CORE", {CORE}), ("NOFILE", {OPEN_FILES}), ("FSIZE", size), ("NPROC", processes)):
    number = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(number)[1]
    least = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if wanted:
        resource.setrlimit(number, (least, least))
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
except OSError:
    pass
os.execvp(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Child:
    """A script's process. `ended` is done when nothing of it lives and its output is read."""

    command: list[str]
    folder: Path
    environment: dict[str, str]
    limits: Limits
    output: Output
    order: bytes = b""
    """Written to its standard input, which then stays open; empty for a script that finds its input at its end."""
    ended: "Future[None]" = field(default_factory=Future)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    peak: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _waiter: threading.Thread | None = None

    def start(self) -> None:
        """Start the command.

        Raises:
            RunnerError: it cannot be started.
        """
        started: Future[subprocess.Popen[bytes]] = Future()
        # Bubblewrap ends with the thread that starts it, which therefore is the one that waits for its end.
        self._waiter = threading.Thread(target=self._live, args=(started,), daemon=True)
        self._waiter.start()
        try:
            self._process = started.result()
        except OSError as error:
            msg = f"cannot start {self.command[0]}: {error}"
            raise RunnerError(msg) from error

    def look(self) -> End | None:
        """Return the end of a script that holds too much memory or too many processes."""
        if self._process is None:
            return None
        limits, members = self.limits, find_members(self._process.pid, self.mark)
        self.peak = max(self.peak, sum(members.values()))
        if len(members) > limits.pids:
            return End("killed", detail=f"the script started more than {limits.pids} processes", peak_memory=self.peak)
        limit = limits.memory_mb * MIB
        if sum(members.values()) > limit and exact_memory(members) > limit:
            return out_of_memory(limits, self.peak)
        return None

    @property
    def code(self) -> int:
        """The exit status of a child that has ended, negative for a signal."""
        return self._process.returncode if self._process else 0

    def abort(self) -> None:
        """Have the script write where it stands, and end."""
        if self._process is None:
            return
        with contextlib.suppress(OSError):  # it ended by itself
            if self._process.stdin is None:
                os.kill(self._process.pid, signal.SIGABRT)
            else:
                self._process.stdin.write(ABORT)
                self._process.stdin.flush()

    def dispose(self) -> None:
        """End whatever still runs."""
        if self._process is not None and self._waiter is not None:
            kill_members(self._process.pid, self.mark)
            self._waiter.join(10)

    def _live(self, started: "Future[subprocess.Popen[bytes]]") -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BOOTSTRAP, *self._rlimits(), *self.command],
                cwd=self.folder,
                env={**self.environment, MARK: self.mark},
                stdin=subprocess.PIPE if self.order else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            started.set_exception(error)
            return
        if process.stdin is not None:
            process.stdin.write(self.order)
            process.stdin.flush()
        started.set_result(process)
        self._wait(process)

    def _rlimits(self) -> tuple[str, str]:
        """Return the most bytes of a file, and the most processes of this user inside a sandbox."""
        processes = count_tasks() + self.limits.pids + SPARE if self.order else 0
        return str(self.limits.disk_mb * MIB), str(processes)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        closing = threading.Event()
        reader = threading.Thread(target=self._drain, args=(process, closing), daemon=True)
        reader.start()
        process.wait()
        # Before anything is read to its end: a grandchild may hold the pipes open for ever.
        kill_members(process.pid, self.mark)
        closing.set()
        reader.join()
        self.ended.set_result(None)

    def _drain(self, process: "subprocess.Popen[bytes]", closing: threading.Event) -> None:
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
