"""Ctrl-C: once finishes what runs and saves, twice stops at once."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from queue import Queue
from typing import Any, TypeVar

from mlestar.events import Event
from mlestar.runtime.threads import WorkerThreads

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPING = "finishing what is running and saving it; once more stops at once"


def run_interruptible(
    begin: Callable[[asyncio.Event], Coroutine[Any, Any, T]], on_event: Callable[[Event], None] | None
) -> T:
    """Run a coroutine to its end, also where an event loop is running, as in a notebook.

    It receives the event that asks it to stop.

    Raises:
        KeyboardInterrupt: it was stopped at once; it carries the arguments of the cancellation.
    """

    async def main() -> T:
        stop = asyncio.Event()
        async with _signals(stop, on_event):
            return await begin(stop)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(main())
    return _run_beside(begin, on_event)


def run_cancellable(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that has nothing to save, as `run_interruptible` does; Ctrl-C cancels it at once.

    Raises:
        KeyboardInterrupt: it was cancelled; what it opened is closed.
    """

    def begin_stopped(stop: asyncio.Event) -> Coroutine[Any, Any, T]:
        stop.set()
        return begin()

    return run_interruptible(begin_stopped, None)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop whose worker threads do not keep a process that was stopped."""
    try:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(WorkerThreads())
            return runner.run(work)
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt(*error.args) from None


def _run_beside(
    begin: Callable[[asyncio.Event], Coroutine[Any, Any, T]], on_event: Callable[[Event], None] | None
) -> T:
    """Run a coroutine on a loop of its own in another thread while this one, whose loop is running, waits."""
    started: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, asyncio.Task[T]]] = Queue()

    async def main() -> T:
        stop = asyncio.Event()
        task = asyncio.ensure_future(begin(stop))
        started.put((asyncio.get_running_loop(), stop, task))
        return await task

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(_run, main())
        loop, stop, task = started.get()
        while True:
            try:
                return done.result()
            except KeyboardInterrupt:
                if stop.is_set() or done.done():
                    loop.call_soon_threadsafe(task.cancel)
                    raise
                loop.call_soon_threadsafe(stop.set)
                if on_event:
                    on_event(Event(stage="stop", message=STOPPING))


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
            on_event(Event(stage="stop", message=STOPPING))

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
