"""Connections of the service that end when no request arrives: an open one takes a place that others need."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

READ_SECONDS = 30.0
"""Time in which the lines of a request, and then its body, must arrive. Chosen by judgement; not measured."""


class PatientProtocol(H11Protocol):
    """Closes a connection on which no request began for a while, and none is answered."""

    seconds = READ_SECONDS
    _timer: asyncio.TimerHandle
    _answered: Any = None
    """The last request when it was looked at before."""

    def connection_made(self, transport: Any) -> None:
        """Begin to watch a connection."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch it."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        if (self.cycle is None or self.cycle.response_complete) and self.cycle is self._answered:
            self.transport.close()
            return
        self._answered = self.cycle
        self._timer = self.loop.call_later(self.seconds, self._look)
