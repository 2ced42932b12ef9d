"""The checkpointer of LangGraph's server for these graphs: its own does not know the types of their state."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from mlestar.store import serializer

FOLDER = Path(".langgraph_api")
"""The development server's own folder, below the one it was started in."""


@asynccontextmanager
async def open_threads() -> AsyncIterator[AsyncSqliteSaver]:
    """Open the checkpoints of all threads; every one is kept, so that a thread can be run again from any step."""
    await asyncio.to_thread(FOLDER.mkdir, exist_ok=True)
    async with aiosqlite.connect(FOLDER / "threads.sqlite") as connection:
        saver = AsyncSqliteSaver(connection, serde=serializer())
        await saver.setup()
        yield saver
