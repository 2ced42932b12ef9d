"""The checkpointer of a run, and the serializer that knows the state's types."""

import asyncio
import importlib.util
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from mlestar.errors import SettingsError, StoreError
from mlestar.state import CHECKPOINT_TYPES
from mlestar.store.damage import damaged, database_problem

CheckpointStore = Literal["sqlite", "postgres"]
DSN = "MLESTAR_POSTGRES_DSN"
"""Environment variable with the address of the Postgres database; it holds a password, so no setting does."""
OBSOLETE = """
thread_id = ?1 AND ((checkpoint_ns = ?2 AND checkpoint_id <> ?3)
                    OR (checkpoint_ns <> ?2 AND substr(checkpoint_ns, 1, length(?4)) = ?4))
"""
"""Thread, graph, its newest checkpoint, and what the names of its subgraphs begin with."""


def serializer() -> JsonPlusSerializer:
    """Return a serializer that accepts this package's state types, also under `LANGGRAPH_STRICT_MSGPACK=true`."""
    return JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINT_TYPES)


class LatestSaver(AsyncSqliteSaver):
    """Keeps only what a resume needs: the newest checkpoint of every graph that runs.

    A checkpoint holds the whole state, so that keeping all of them grows with the square of a run's length. When a
    graph has taken a step, its subgraphs of that step are done, and their checkpoints are deleted too. Older states are
    rebuilt from the ledger instead (see `mlestar fork`).
    """

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        saved = await super().aput(config, checkpoint, metadata, new_versions)
        graph = config["configurable"]["checkpoint_ns"]
        values = (str(config["configurable"]["thread_id"]), graph, checkpoint["id"], f"{graph}|" if graph else "")
        async with self.lock:
            for table in ("checkpoints", "writes"):
                await self.conn.execute(f"DELETE FROM {table} WHERE {OBSOLETE}", values)  # noqa: S608  # constants
            await self.conn.commit()
        return saved


@asynccontextmanager
async def open_checkpoints(path: Path, kind: CheckpointStore = "sqlite") -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Open the checkpointer of a run: the SQLite file `path`, or the Postgres database that the environment names.

    Raises:
        SettingsError: Postgres is asked for and its address or its package is missing.
        StoreError: the database does not answer, or the file is damaged.
    """
    if kind == "postgres":
        async with _open_postgres() as saver:
            yield saver
        return
    await asyncio.to_thread(_check, path)
    async with aiosqlite.connect(path) as connection:
        saver = LatestSaver(connection, serde=serializer())
        await saver.setup()
        # A power failure may lose the last steps, never consistency; the ledger replays them.
        await connection.execute("PRAGMA synchronous=NORMAL")
        yield saver


def _check(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        problem = database_problem(connection)
    finally:
        connection.close()
    if problem:
        raise damaged(path.parent, path.name, f"is damaged ({problem})")


@asynccontextmanager
async def _open_postgres() -> AsyncIterator[BaseCheckpointSaver[str]]:
    address = os.environ.get(DSN, "")
    if not address:
        msg = f"checkpoints in Postgres need an address: set {DSN}=postgresql://user:password@host/database"
        raise SettingsError(msg)
    if not importlib.util.find_spec("langgraph.checkpoint.postgres"):
        msg = "checkpoints in Postgres need packages: pip install langgraph-checkpoint-postgres 'psycopg[binary]'"
        raise SettingsError(msg)
    import psycopg
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import dict_row

    try:
        connection = await psycopg.AsyncConnection.connect(
            address, autocommit=True, prepare_threshold=0, row_factory=dict_row, connect_timeout=10
        )
    except psycopg.Error as error:
        # The message of the driver may repeat the address, and with it the password.
        msg = (
            f"the Postgres database of {DSN} does not answer ({type(error).__name__}); check the address and the server"
        )
        raise StoreError(msg) from None
    async with connection:
        saver = AsyncPostgresSaver(connection, serde=serializer())
        await saver.setup()
        yield saver
