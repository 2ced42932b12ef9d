"""Where LangGraph's server keeps the threads of these graphs: its own saver does not know the types of their state."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from mlestar.store import serializer

PLACE = Path(".langgraph_api")
"""The development server's own folder, below the one it was started in."""


@asynccontextmanager
async def open_threads() -> AsyncIterator[AsyncSqliteSaver]:
    """Open the checkpoints of all threads; every one is kept, so that a thread can be run again from any step."""
    await asyncio.to_thread(PLACE.mkdir, exist_ok=True)
    async with aiosqlite.connect(PLACE / "threads.sqlite") as connection:
        saver = AsyncSqliteSaver(connection, serde=serializer())
        await saver.setup()
        yield saver
