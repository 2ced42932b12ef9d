"""Which executions may overlap: those that read the same input, and so hold the same labels."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Waiting = tuple[str, asyncio.Future[None]]
"""The name of an input, and the turn of an execution on it."""


class Turns:
    """Lets executions overlap only if they read the same input; others wait in the order of arrival, urgent ones first.

    Scripts that execute at once on one machine can always tell each other something, if only by how busy it is.
    """

    def __init__(self, on_change: Callable[[], Awaitable[None]] | None = None) -> None:
        """Describe the turns.

        Args:
            on_change: awaited before the first execution on an input other than the one before.
        """
        self._on_change = on_change
        self._input: str | None = None
        """The input of the executions that run, or of the last ones that ran."""
        self._running = 0
        self._waiting: deque[Waiting] = deque()
        self._urgent: deque[Waiting] = deque()
        self._prepared: str | None = None
        self._preparing = asyncio.Lock()

    @asynccontextmanager
    async def of(self, name: str, *, urgent: bool = False) -> AsyncIterator[None]:
        """Wait until an execution on the input of this name may run; an urgent one goes before those that wait."""
        await self._enter(name, self._urgent if urgent else self._waiting)
        try:
            await self._prepare(name)
            yield
        finally:
            self._running -= 1
            self._admit()

    async def _enter(self, name: str, waiting: "deque[Waiting]") -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((name, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                waiting.remove((name, turn))
            else:  # it had been given its turn
                self._running -= 1
            self._admit()
            raise

    def _admit(self) -> None:
        """Give their turn to those that wait longest, as far as they may run together."""
        while (waiting := self._urgent or self._waiting) and (not self._running or waiting[0][0] == self._input):
            name, turn = waiting[0]
            if turn.cancelled():  # it leaves the queue by itself
                return
            waiting.popleft()
            self._input, self._running = name, self._running + 1
            turn.set_result(None)

    async def _prepare(self, name: str) -> None:
        async with self._preparing:
            if self._on_change is not None and self._prepared != name:
                await self._on_change()
            self._prepared = name
