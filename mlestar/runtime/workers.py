"""The tasks that nodes of a run work in: where nobody else closes a run, it is released when the last one leaves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from langgraph.errors import GraphBubbleUp

IDLE_WORKER_SECONDS = 60.0
"""Time without a node after which a run is released: it waits for a person, or was cancelled between two nodes. Its
next node opens it again. Chosen by judgement; not measured."""


class Workers:
    """Counts the tasks that work on a run.

    A server that cancels a run, or meets an error in it, runs no further node of it. Without this it would hold the
    run's lock until the server ends.
    """

    def __init__(
        self,
        release: Callable[[], Coroutine[Any, Any, None]],
        is_busy: Callable[[], bool] = lambda: False,
        *,
        idle_seconds: float = IDLE_WORKER_SECONDS,
    ) -> None:
        """Describe the run.

        Args:
            release: closes it and may be called more than once.
            is_busy: whether it works in the background, which an idle run is left to finish and a cancelled one is not.
            idle_seconds: time without a node after which it is released.
        """
        self._release = release
        self._is_busy = is_busy
        self._idle_seconds = idle_seconds
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned = False
        self._timer: asyncio.TimerHandle | None = None
        self._releasing: asyncio.Task[None] | None = None

    def enter(self) -> None:
        """Count the current task until it ends."""
        task = asyncio.current_task()
        if task is None or task in self._tasks:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._tasks.add(task)
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._abandoned = self._abandoned or _failed(task)
        if not self._tasks:
            delay = 0.0 if self._abandoned else self._idle_seconds
            self._timer = task.get_loop().call_later(delay, self._start_release)

    def _start_release(self) -> None:
        if self._tasks:
            return
        loop = asyncio.get_running_loop()
        if self._is_busy() and not self._abandoned:
            self._timer = loop.call_later(self._idle_seconds, self._start_release)
            return
        self._releasing = loop.create_task(self._release())


def _failed(task: asyncio.Task[Any]) -> bool:
    """Whether a task was cancelled or raised an error; a question to a person is neither."""
    if task.cancelled():
        return True
    error = task.exception()
    return error is not None and not isinstance(error, GraphBubbleUp)
