"""How fast a provider may be asked: learned from the requests that it refuses, and shared by all callers."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

PROBE_WINDOWS = 5
"""Windows without a refusal after which one more request is allowed in each: the load of others may have caused the
limit. Chosen by judgement; not measured."""
MINUTE = 60.0
"""Seconds of a window at most, unless the provider asks for a longer wait: rate limits are per minute."""
MAX_STARTS = 10_000
"""Starts of requests that are remembered: more than any provider accepts in a minute from one run."""


class Pace:
    """Lets requests to one provider start no faster than it has accepted them.

    A refusal ends a window. It began when the provider last accepted requests again, and it lasts until the provider
    accepts the next one. As many requests as it accepted in that window may start in any window of the same length from
    then on.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        """Start times of the requests that were not refused."""
        self._window_began = 0.0
        self._opens = 0.0
        """Time before which no request starts."""
        self._allowed = 0
        """Requests in a window; 0 while no limit is known."""
        self._window = 0.0
        """Length of a window in seconds."""
        self._learnt = 0.0
        """When the limit was last set or raised."""

    async def wait(self) -> float:
        """Wait until a request may start; return when it starts."""
        while (pause := self._pause()) > 0:
            await self._sleep(pause)
        now = self._clock()
        self._starts.append(now)
        return now

    def refused(self, started: float, delay: float) -> None:
        """Record that the request which started then was refused, and that the next is taken after `delay` seconds."""
        now = self._clock()
        if started in self._starts:
            self._starts.remove(started)
        if started >= self._opens:
            self._window_began = self._opens
        self._opens = max(self._opens, now + delay)
        began = max(self._window_began, now - MINUTE)
        accepted = [start for start in self._starts if start >= began]
        self._allowed = max(1, len(accepted))
        self._window = min(self._opens - min([*accepted, started]), max(MINUTE, delay))
        self._learnt = now

    def answered(self) -> None:
        """Record that a request was not refused; after several windows without a refusal one more is allowed."""
        if self._allowed and self._clock() - self._learnt > PROBE_WINDOWS * self._window:
            self._allowed += 1
            self._learnt = self._clock()

    def _pause(self) -> float:
        """Return the seconds until a request may start by what is known now."""
        full = self._allowed and len(self._starts) >= self._allowed
        free = self._starts[-self._allowed] + self._window if full else 0.0
        return max(self._opens, free) - self._clock()
