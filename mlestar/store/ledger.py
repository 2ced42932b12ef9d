"""Every model call and execution of a run, with its cost and its result.

An entry is keyed by the hash of what defines it and written once, together with its result. Asking for a finished entry
again returns the recorded result and costs nothing, so a resumed or forked run repeats no finished work.
"""

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlestar.errors import StoreError

Kind = Literal["model_call", "execution", "search", "note"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    result TEXT NOT NULL,
    seconds REAL NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    usd REAL,
    finished TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY,
    seconds REAL NOT NULL
);
"""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a finished piece of work leaves in the ledger."""

    result: dict[str, Any]
    """JSON-serializable."""
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those read from the provider's cache."""
    reasoning_tokens: int = 0
    """Of the output tokens, those the model thought with."""
    usd: float | None = 0.0
    """None when the price is unknown."""


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What a run has cost so far."""

    model_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    """Of the input tokens."""
    reasoning_tokens: int
    """Of the output tokens."""
    usd: float | None
    """None when a call was made whose price is unknown."""
    executions: int
    searches: int
    seconds: float
    """Active time, summed over the sessions that worked on the run."""

    @property
    def tokens(self) -> int:
        """Input and output tokens of all model calls."""
        return self.input_tokens + self.output_tokens


def key_of(*parts: object) -> str:
    """Return the key of work that is defined by these JSON-serializable parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Ledger:
    """One SQLite file; safe to share between the coroutines of one process."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(SCHEMA)
        except sqlite3.Error as error:
            msg = f"cannot open the ledger {path}: {error}"
            raise StoreError(msg) from error
        self._lock = threading.Lock()
        self._running: dict[str, asyncio.Lock] = {}
        cursor = self._connection.execute("INSERT INTO sessions (seconds) VALUES (0)")
        self._session = cursor.lastrowid

    async def once(
        self, key: str, kind: Kind, label: str, work: Callable[[], Awaitable[Record]]
    ) -> tuple[dict[str, Any], bool]:
        """Return the recorded result of `key` and True, or do the work, record it, and return its result and False.

        Concurrent calls with the same key do the work once.
        """
        async with self._running.setdefault(key, asyncio.Lock()):
            known = await asyncio.to_thread(self.recall, key)
            if known is not None:
                return known, True
            record = await work()
            await asyncio.to_thread(self._insert, key, kind, label, record)
            return record.result, False

    def recall(self, key: str) -> dict[str, Any] | None:
        rows = self._execute("SELECT result FROM entries WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else None

    def note(self, key: str, label: str, result: dict[str, Any]) -> None:
        """Record a fact that costs nothing; the first one stands."""
        self._insert(key, "note", label, Record(result=result))

    def spend(self) -> Spend:
        sums = (
            "SELECT count(*), total(input_tokens), total(output_tokens), total(cached_tokens), total(reasoning_tokens)"
            " FROM entries WHERE kind = 'model_call'"
        )
        calls, read, written, cached, reasoning = map(int, self._execute(sums)[0])
        costs = "SELECT total(usd), count(*) - count(usd) FROM entries WHERE kind = 'model_call'"
        usd, unpriced = self._execute(costs)[0]
        counts = dict(self._execute("SELECT kind, count(*) FROM entries GROUP BY kind"))
        seconds = self._execute("SELECT total(seconds) FROM sessions")[0][0]
        return Spend(
            model_calls=calls,
            input_tokens=read,
            output_tokens=written,
            cached_tokens=cached,
            reasoning_tokens=reasoning,
            usd=None if unpriced else usd,
            executions=counts.get("execution", 0),
            searches=counts.get("search", 0),
            seconds=seconds,
        )

    def slowest_execution(self) -> float:
        """Return the seconds of the slowest finished execution, 0 when there is none."""
        return float(self._execute("SELECT coalesce(max(seconds), 0) FROM entries WHERE kind = 'execution'")[0][0])

    def clock(self, seconds: float) -> None:
        """Set the active time of this session."""
        self._execute("UPDATE sessions SET seconds = ? WHERE id = ?", seconds, self._session)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _insert(self, key: str, kind: Kind, label: str, record: Record) -> None:
        self._execute(
            "INSERT OR IGNORE INTO entries (key, kind, label, result, seconds, input_tokens, output_tokens,"
            " cached_tokens, reasoning_tokens, usd) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            key,
            kind,
            label,
            json.dumps(record.result),
            record.seconds,
            record.input_tokens,
            record.output_tokens,
            record.cached_tokens,
            record.reasoning_tokens,
            record.usd,
        )

    def _execute(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            msg = f"the ledger cannot be used: {error}"
            raise StoreError(msg) from error
