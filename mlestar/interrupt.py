"""Ctrl-C: once finishes what runs and saves, twice stops at once."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mlestar.events import Event

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
ASKED = "finishing what is running and saving it; once more stops at once"


def run_interruptible(
    begin: Callable[[asyncio.Event], Coroutine[Any, Any, T]], on_event: Callable[[Event], None] | None
) -> T:
    """Run a coroutine to its end; it is given the event that asks it to stop.

    Raises:
        KeyboardInterrupt: it was stopped at once.
    """

    async def main() -> T:
        stop = asyncio.Event()
        async with _signals(stop, on_event):
            return await begin(stop)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@asynccontextmanager
async def _signals(stop: asyncio.Event, on_event: Callable[[Event], None] | None) -> AsyncIterator[None]:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt() -> None:
        if stop.is_set():
            task.cancel()
            return
        stop.set()
        if on_event:
            on_event(Event(stage="stop", message=ASKED))

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
