"""Blocking calls of asynchronous code."""

import asyncio
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def call_in_thread(call: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call in a thread and wait for the end of the call even when cancelled; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def call_until_stopped(call: Callable[[threading.Event], _T]) -> _T:
    """Call in a thread with an event that is set when this is cancelled, and wait for the end of the call."""
    stop = threading.Event()
    task = asyncio.ensure_future(asyncio.to_thread(call, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task})
        raise
