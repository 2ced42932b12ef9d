"""Warm starts: containers that wait for a script with its libraries imported."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mlestar.errors import RunnerError
from mlestar.runners.docker.container import Container
from mlestar.runners.docker.spec import IDLE_SECONDS, ContainerSpec

_log = logging.getLogger("mlestar.runners")

MAX_WAIT_SECONDS = IDLE_SECONDS / 2
"""Time after which a waiting container is replaced: well before it ends by itself."""
FREE_MB = 1024
"""Memory of this machine that waiting containers leave free, besides what a script may use. Chosen by judgement; not
measured."""
WAITING_MB = 300
"""Memory of a waiting container with every library imported, at most. Chosen by judgement; not measured."""

MakeContainer = Callable[[ContainerSpec, tuple[str, ...]], Container]


class Pool:
    """At most `size` waiting containers, made in the background while there is memory for them.

    A container runs one script, which must need the same spec and must begin by importing everything that the container
    has imported: the script then finds nothing that it would not find in a new container.
    """

    def __init__(self, size: int, make: MakeContainer, free_mb: Callable[[], int | None]) -> None:
        """Describe the pool.

        Args:
            size: most containers that wait.
            make: makes one.
            free_mb: returns how much memory of the engine's machine is free, None when that is unknown.
        """
        self._size = size
        self._make = make
        self._free_mb = free_mb
        self._lock = threading.Lock()
        self._waiting: list[Container] = []
        self._executor: ThreadPoolExecutor | None = None
        self._pending = 0
        """Containers that are being made or will be."""

    @property
    def waiting(self) -> int:
        """How many containers wait."""
        with self._lock:
            return len(self._waiting)

    def take(self, spec: ContainerSpec, imports: tuple[str, ...]) -> Container | None:
        """Return the waiting container that has imported most of what a script imports, None when there is none."""
        with self._lock:
            usable = [each for each in self._waiting if each.spec == spec and _is_ready(each)]
            usable = [each for each in usable if {*each.modules} <= {*imports}]
            if not usable:
                return None
            best = max(usable, key=lambda each: (len(each.modules), -each.created))
            self._waiting.remove(best)
            return best

    def refill(self, spec: ContainerSpec, imports: tuple[str, ...]) -> None:
        """Start making containers like the one that a script of this kind needs; return at once."""
        with self._lock:
            same = [each for each in self._waiting if each.spec == spec and each.modules == imports]
            missing = self._size - sum(map(_is_ready, same)) - self._pending
            count = min(missing, self._affordable(spec.limits.memory_mb))
            if count > 0:
                _log.debug("refilling the pool: %d more containers to the %d that wait", count, len(self._waiting))
            for _ in range(count):
                self._pending += 1
                self._start_executor().submit(self._add, spec, imports)

    def close(self) -> None:
        """Remove all containers; the pool can be filled again."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(cancel_futures=True)
        with self._lock:
            waiting, self._waiting, self._pending = self._waiting, [], 0
        _remove_all(waiting)

    def _affordable(self, script_mb: int) -> int:
        """Return for how many more waiting containers there is memory, beside a script that uses all of its own."""
        free = self._free_mb()
        if free is None:
            return self._size
        return max(0, (free - script_mb - FREE_MB) // WAITING_MB)

    def _start_executor(self) -> ThreadPoolExecutor:
        """Return the one thread that makes containers: two at once would take the CPUs from the scripts that run."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="mlestar-pool")
        return self._executor

    def _add(self, spec: ContainerSpec, imports: tuple[str, ...]) -> None:
        try:
            _remove_all(self._make_room(spec, imports))
            container = self._make(spec, imports)
            self._start(container)
        except RunnerError as error:
            # An engine failure will surface on the next script.
            _log.info("the pool could not be refilled: %s", error)
        finally:
            with self._lock:
                self._pending -= 1

    def _start(self, container: Container) -> None:
        try:
            container.start()
        except RunnerError:
            _remove_all([container])
            raise
        with self._lock:
            self._waiting.append(container)

    def _make_room(self, spec: ContainerSpec, imports: tuple[str, ...]) -> list[Container]:
        """Take out containers that have ended or waited too long, and in a full pool the oldest of another kind."""
        with self._lock:
            ready = [each for each in self._waiting if _is_ready(each)]
            removed = [each for each in self._waiting if each not in ready]
            ready.sort(key=lambda each: (each.spec == spec, each.modules == imports))
            removed += ready[: max(0, len(ready) - self._size + 1)]
            self._waiting = [each for each in self._waiting if each not in removed]
            return removed


def _is_ready(container: Container) -> bool:
    """Whether a container still waits, and not too long: it may have run out of memory."""
    return not container.ended.done() and time.monotonic() - container.created < MAX_WAIT_SECONDS


def _remove_all(containers: list[Container]) -> None:
    for container in containers:
        try:
            container.remove_with_folder()
        except RunnerError:
            continue
