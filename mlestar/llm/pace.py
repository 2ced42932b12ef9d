"""How fast a provider may be asked: learned from the requests that it refuses, and shared by all callers."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

PROBE_WINDOWS = 5
"""Windows without a refusal after which twice as many requests are allowed in each: the load of others may have caused
the limit. Chosen by judgement; not measured."""
LEAST_ACCEPTED = 2
"""Requests that a window must have accepted to say something about the rate: one is accepted at any rate."""
MINUTE = 60.0
"""Seconds of a window at most: rate limits are per minute."""
MAX_STARTS = 10_000
"""Starts of requests that are remembered: more than any provider accepts in a minute from one run."""


class Pace:
    """Lets requests to one provider start no faster than it has accepted them.

    A refusal ends a window. It began when the provider last accepted requests again, and it lasts until the provider
    accepts the next one. As many requests as it accepted in that window may start in any window of the same length from
    then on. The window before the first refusal only shows when the provider accepts requests again: others may have
    used the limit up. A window with too few accepted requests is continued by the next one.
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
        """When the window of the last refusal began; 0 before any refusal."""
        self._conclusive = False
        """The window of the last refusal showed the rate."""
        self._opens = 0.0
        """Time before which no request starts."""
        self._allowed = 0
        """Requests in a window; 0 while no limit is known."""
        self._window = 0.0
        """Length of a window in seconds."""
        self._learnt = 0.0
        """When the provider last refused a request, or the limit was raised."""
        self._raised = False
        """The limit was raised after the last refusal."""
        self._before = (0, 0.0)
        """Requests and length of a window as they were known before the window of the last refusal."""

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
            self._begin_window()
        self._opens = max(self._opens, now + delay)
        if self._window_began:
            self._learn(max(self._window_began, now - MINUTE))
        self._learnt, self._raised = now, False

    def answered(self) -> None:
        """Record that a request was not refused; after several windows without a refusal the limit is doubled.

        It is doubled after each further window until the next refusal.
        """
        windows = 1 if self._raised else PROBE_WINDOWS
        if self._allowed and self._clock() - self._learnt > windows * self._window:
            self._allowed *= 2
            self._learnt, self._raised = self._clock(), True

    def _begin_window(self) -> None:
        """Begin with the window that a refusal has ended, or continue the last one if it showed nothing."""
        if self._conclusive or not self._window_began:
            self._window_began = self._opens
        self._before = self._allowed, self._window

    def _learn(self, began: float) -> None:
        """Set the limit to what was accepted since then; a later refusal of the same window corrects it."""
        accepted = [start for start in self._starts if start >= began]
        self._conclusive = len(accepted) >= LEAST_ACCEPTED
        if self._conclusive:
            self._allowed, self._window = len(accepted), min(self._opens - accepted[0], MINUTE)
        else:
            self._allowed, self._window = self._before

    def _pause(self) -> float:
        """Return the seconds until a request may start by what is known now."""
        full = self._allowed and len(self._starts) >= self._allowed
        free = self._starts[-self._allowed] + self._window if full else 0.0
        return max(self._opens, free) - self._clock()
