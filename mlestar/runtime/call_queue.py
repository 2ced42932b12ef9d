"""The order in which model calls that wait for the budget start."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_WITHIN: ContextVar[frozenset[object]] = ContextVar("within", default=frozenset())
"""The running calls within which this code runs."""


class CallQueue:
    """Lets calls wait in the order of arrival; a call within a running one never waits, since that one waits for it."""

    def __init__(self) -> None:
        self._first = asyncio.Lock()
        """Held by the call that waits longest; a lock is given to whoever asked for it first."""
        self._changed = asyncio.Event()
        self._running: set[object] = set()

    @property
    def is_within(self) -> bool:
        """This code runs within a call that is not over."""
        return bool(_WITHIN.get() & self._running)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Surround a call's attempts to start, once all earlier calls have started; yield whether it may wait."""
        if self.is_within:
            yield False
            return
        async with self._first:
            yield True

    def expect_change(self) -> None:
        """Forget earlier changes: `wait` returns after the next one."""
        self._changed.clear()

    def notify(self) -> None:
        """Let the first call try again: a reservation is free, or the run is to stop."""
        self._changed.set()

    async def wait(self) -> None:
        await self._changed.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Surround a call that runs, so that calls within it are recognized."""
        call = object()
        self._running.add(call)
        _WITHIN.set(_WITHIN.get() | {call})
        try:
            yield
        finally:
            _WITHIN.set(_WITHIN.get() - {call})
            self._running.discard(call)
