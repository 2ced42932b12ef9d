"""Containers that wait, with their libraries imported, each for one script."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mlestar.errors import RunnerError
from mlestar.runners.docker.container import Container
from mlestar.runners.docker.spec import IDLE, ContainerSpec

_log = logging.getLogger("mlestar.runners")

FRESH = IDLE / 2
"""Seconds after which a container that still waits is replaced."""

LEAST_MB = 1024
"""Memory of this machine that stays free of waiting containers, besides what the scripts themselves may take."""
NEED_MB = 300
"""Most that a waiting container takes, with every library imported."""

Make = Callable[[ContainerSpec, tuple[str, ...]], Container]


class Pool:
    """At most `size` waiting containers, made in the background while there is memory for them.

    A container serves one script, and only one that needs the same spec and itself begins by importing everything that
    the container has imported: the script then finds nothing that it would not find in a container of its own.
    """

    def __init__(self, size: int, make: Make, free_mb: Callable[[], int | None]) -> None:
        """Describe the pool.

        Args:
            size: most containers that wait.
            make: makes one.
            free_mb: tells how much memory of the engine's machine is free, None when nobody knows.
        """
        self._size = size
        self._make = make
        self._free_mb = free_mb
        self._lock = threading.Lock()
        self._waiting: list[Container] = []
        self._maker: ThreadPoolExecutor | None = None
        self._ordered = 0

    @property
    def waiting(self) -> int:
        """How many containers wait."""
        with self._lock:
            return len(self._waiting)

    def take(self, spec: ContainerSpec, imports: tuple[str, ...]) -> Container | None:
        """Return the waiting container that has imported most of what a script imports, None when there is none."""
        with self._lock:
            fit = [
                each for each in self._waiting if each.spec == spec and {*each.modules} <= {*imports} and _fresh(each)
            ]
            if not fit:
                return None
            best = max(fit, key=lambda each: (len(each.modules), -each.made))
            self._waiting.remove(best)
            return best

    def refill(self, spec: ContainerSpec, imports: tuple[str, ...]) -> None:
        """Order containers like the one that a script of this kind needs; returns at once."""
        with self._lock:
            alike = sum(each.spec == spec and each.modules == imports and _fresh(each) for each in self._waiting)
            wanted = min(self._size - alike - self._ordered, self._room(spec.limits.memory_mb))
            if wanted > 0:
                _log.debug("refilling the pool: %d more containers to the %d that wait", wanted, len(self._waiting))
            for _ in range(wanted):
                self._ordered += 1
                self._makers().submit(self._add, spec, imports)

    def close(self) -> None:
        """Remove all containers; the pool can be filled again."""
        with self._lock:
            maker, self._maker = self._maker, None
        if maker is not None:
            maker.shutdown(cancel_futures=True)
        with self._lock:
            waiting, self._waiting, self._ordered = self._waiting, [], 0
        _discard(waiting)

    def _room(self, script_mb: int) -> int:
        """Return for how many more waiting containers there is memory, beside a script that uses all of its own."""
        free = self._free_mb()
        return self._size if free is None else max(0, (free - script_mb - LEAST_MB) // NEED_MB)

    def _makers(self) -> ThreadPoolExecutor:
        """Return the one thread that makes containers: two at once would take the CPUs from the scripts that run."""
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, thread_name_prefix="mlestar-pool")
        return self._maker

    def _add(self, spec: ContainerSpec, imports: tuple[str, ...]) -> None:
        try:
            _discard(self._make_room(spec, imports))
            container = self._make(spec, imports)
            self._open(container)
        except RunnerError as error:
            # An engine failure will surface on the next script.
            _log.info("the pool could not be refilled: %s", error)
        finally:
            with self._lock:
                self._ordered -= 1

    def _open(self, container: Container) -> None:
        try:
            container.start()
        except RunnerError:
            _discard([container])
            raise
        with self._lock:
            self._waiting.append(container)

    def _make_room(self, spec: ContainerSpec, imports: tuple[str, ...]) -> list[Container]:
        """Take out what is of no more use, and the oldest of another kind when there is no room."""
        with self._lock:
            ordered = sorted(self._waiting, key=lambda each: (_fresh(each), each.spec == spec, each.modules == imports))
            spare = [each for each in ordered if not _fresh(each)]
            spare += ordered[len(spare) : len(ordered) - self._size + 1]
            self._waiting = [each for each in self._waiting if each not in spare]
            return spare


def _fresh(container: Container) -> bool:
    """Whether a container still waits: it may have run out of memory or time."""
    return not container.ended.done() and time.monotonic() - container.made < FRESH


def _discard(containers: list[Container]) -> None:
    for container in containers:
        try:
            container.remove_with_folder()
        except RunnerError:
            continue
