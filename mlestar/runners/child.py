"""One local process: started in a session of its own, read, ended with everything it started."""

import os
import selectors
import subprocess
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Job
from mlestar.runners.capture import Output
from mlestar.runners.processes import MARK, exact_memory, find_members, kill_members
from mlestar.runners.watch import MIB, End, common_variables, exit_end

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""All that a script sees of our environment."""
OPEN_FILES = 4096
CHUNK = 65536

# Sets the limits in the process itself: a function called between fork and exec can deadlock in a threaded parent.
BOOTSTRAP = f"""
import os, resource, sys
files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
files = {OPEN_FILES} if files == resource.RLIM_INFINITY else min(files, {OPEN_FILES})
size = int(sys.argv[1])
for name, limit in (("CORE", 0), ("NOFILE", files), ("FSIZE", size)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (limit, limit))
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
except OSError:
    pass
os.execv(sys.executable, [sys.executable, "-u", "main.py"])
"""


@dataclass
class Child:
    """A script's process. `ended` is done when nothing of it lives and its output is read."""

    python: str
    job: Job
    place: Path
    """Host folder with `work/` and `home/`."""
    cpus: float
    output: Output
    ended: "Future[None]" = field(default_factory=Future)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    peak: int = 0
    _process: "subprocess.Popen[bytes] | None" = None
    _waiter: threading.Thread | None = None

    def start(self) -> None:
        """Start the script.

        Raises:
            RunnerError: the interpreter cannot be started.
        """
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        common = common_variables(self.job.seed, self.cpus, str(self.place / "home"))
        try:
            self._process = subprocess.Popen(
                [self.python, "-I", "-S", "-c", BOOTSTRAP, str(self.job.limits.disk_mb * MIB)],
                cwd=self.place / "work",
                env={**passed, **common, MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"cannot start {self.python}: {error}"
            raise RunnerError(msg) from error
        self._waiter = threading.Thread(target=self._wait, args=(self._process,), daemon=True)
        self._waiter.start()

    def look(self) -> End | None:
        """Return the end of a script that holds too much memory or too many processes."""
        if self._process is None:
            return None
        limits, members = self.job.limits, find_members(self._process.pid, self.mark)
        self.peak = max(self.peak, sum(members.values()))
        if len(members) > limits.pids:
            return End("killed", detail=f"the script started more than {limits.pids} processes", peak_memory=self.peak)
        limit = limits.memory_mb * MIB
        if sum(members.values()) > limit and exact_memory(members) > limit:
            return End(
                "oom", detail=f"the script needed more than its {limits.memory_mb} MiB of memory", peak_memory=self.peak
            )
        return None

    def end(self) -> End:
        """Return how a script ended by itself."""
        code = self._process.returncode if self._process else 0
        return exit_end(code, self.peak or None)

    def dispose(self) -> None:
        """End whatever still runs."""
        if self._process is not None and self._waiter is not None:
            kill_members(self._process.pid, self.mark)
            self._waiter.join(10)

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
