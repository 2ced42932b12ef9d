"""Work that a stop leaves unfinished, since it is worth nothing before it is finished."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from mlestar.errors import StopRequested

T = TypeVar("T")


async def unless_stopped(stop: asyncio.Event | None, work: Coroutine[Any, Any, T]) -> T:
    """Await work that is worth nothing when it is not finished; a stop leaves it.

    Raises:
        StopRequested: the stop came first.
    """
    if stop is None:
        return await work
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise StopRequested
    finally:
        stopping.cancel()
        working.cancel()
