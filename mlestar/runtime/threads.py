"""Worker threads that end with the process: nobody waits for a computation that was stopped."""

import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Item = tuple[Future[Any], Callable[[], Any]] | None

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""The number that Python's own executor has."""
GRACE_SECONDS = 2.0
"""How long the end of a loop waits for what its threads still do. Chosen by judgement; not measured."""


class WorkerThreads(ThreadPoolExecutor):
    """An executor of daemon threads, which Python does not join at its end.

    A loop accepts only a `ThreadPoolExecutor` as its default; none of its machinery is used.
    """

    def __init__(self) -> None:
        super().__init__(THREADS)
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule a call."""
        future: Future[T] = Future()
        self._items.put((future, lambda: function(*args, **kwargs)))
        if not self._idle.acquire(blocking=False) and len(self._workers) < THREADS:
            worker = threading.Thread(target=self._work, name=f"mlestar-{len(self._workers)}", daemon=True)
            self._workers.append(worker)
            worker.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads; those that still compute get `GRACE_SECONDS`."""
        for _ in self._workers:
            self._items.put(None)
        until = time.monotonic() + GRACE_SECONDS * wait
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            future, call = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # it belongs to whoever waits for the call
                    future.set_exception(error)
            del item, future, call
            self._idle.release()
