"""Every model call and execution of a run, with its cost and its result.

An entry is keyed by the hash of what defines it and written once, together with its result. Asking for a finished entry
again returns the recorded result and costs nothing, so a resumed or forked run repeats no finished work.
"""

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

from mlestar.errors import StoreError
from mlestar.store.damage import arguments, database_problem
from mlestar.store.kinds import NoteKind, WorkKind
from mlestar.store.queries import LedgerQueries
from mlestar.store.statements import (
    CLOCK,
    EXPORT_FACTOR,
    FORGET,
    INHERIT,
    INSERT,
    OUTPUT_TOKENS,
    OVERRUN,
    RESERVE,
    RESERVED,
    SCHEMA,
    SLOWEST,
    SPENT,
)
from mlestar.store.text import to_json

T = TypeVar("T")

Cap = Literal["max_usd", "max_tokens", "max_executions", "max_hours"]

BEAT = 5.0
"""Seconds between two records of the active time. Each counts this much ahead, so that a process that is killed has
counted too much rather than too little. Chosen by judgement; not measured."""


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
    """Of the output tokens, those used for reasoning."""
    usd: float | None = 0.0
    """None when the price is unknown."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What work may take: money, tokens, executions."""

    usd: float = 0.0
    tokens: int = 0
    executions: int = 0


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What all work together may take; None is without a cap."""

    usd: float | None = None
    tokens: int | None = None
    executions: int | None = None


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """Why an amount was not reserved."""

    cap: Cap
    left: float
    """What is left of the cap, reservations not counted; for executions, reservations are counted."""
    final: bool
    """The amount would not fit alone either, so that waiting does not help."""


@dataclass(frozen=True)
class Reservation:
    """Work that may start: the id of its reservation, and the seconds it may take."""

    id: int
    seconds: float
    output: int | None = None
    """Tokens that the reply of a model call may have; None without a cap on money or tokens."""


def key_of(*parts: object) -> str:
    """Return the key of work that is defined by these JSON-serializable parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class UnfinishedError(Exception):
    """Work that cost something and has no result: its cost is recorded, and it may be done again."""

    def __init__(self, record: Record) -> None:
        super().__init__("the work is unfinished")
        self.record = record


async def finish(work: asyncio.Future[T]) -> T:
    """Return the result of work that a cancellation must not interrupt; the cancellation is raised when it is done."""
    cancellation: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is None:
        return work.result()
    if failure := work.exception():
        cancellation.add_note(f"the work that it waited for failed: {failure}")
    raise cancellation


class Ledger(LedgerQueries):
    """One SQLite file; safe to share between the coroutines and threads of one process."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            if problem := database_problem(self._connection):
                raise _not_opened(path, problem)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(SCHEMA)
            cursor = self._connection.execute("INSERT INTO sessions (seconds) VALUES (0)")
        except sqlite3.Error as error:
            raise _not_opened(path, str(error)) from error
        self._path = path
        self._lock = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._working: dict[str, tuple[asyncio.Lock, int]] = {}
        self._session = int(cursor.lastrowid or 0)
        self._closing = threading.Event()
        self._timer: threading.Thread | None = None

    async def once(
        self,
        key: str,
        kind: WorkKind,
        label: str,
        work: Callable[[], Awaitable[Record]],
        *,
        within: AbstractAsyncContextManager[Reservation | None] | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Return the recorded result of `key` and True, or do the work, record it, and return its result and False.

        Concurrent calls with the same key do the work once; work that raises is not recorded, but for the cost
        in an `UnfinishedError`. `within` surrounds the
        work; its reservation is released in the transaction that records what the work took. A call that is cancelled
        meanwhile goes on only after that transaction, so that nobody can reserve what it has spent.
        """
        async with self._alone(key):
            recorded = await asyncio.to_thread(self.recall, key)
            if recorded is not None:
                return recorded, True
            async with within or nullcontext() as reservation:
                try:
                    record = await work()
                except UnfinishedError as error:
                    unfinished = f"{key} unfinished {uuid4().hex}"
                    await finish(self.start(self._settle, unfinished, kind, label, error.record, reservation))
                    raise
                await finish(self.start(self._settle, key, kind, label, record, reservation))
            return record.result, False

    def start(self, function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        """Start work in the thread of the ledger; see `finish`. Closing the ledger waits for it.

        The end of the event loop cancels tasks, and so `asyncio.to_thread`, but not this.

        Raises:
            StoreError: the ledger is closed.
        """
        try:
            return asyncio.get_running_loop().run_in_executor(self._writer, partial(function, *arguments))
        except RuntimeError as error:
            raise _unusable(error) from error

    def note(self, kind: NoteKind, key: str, fact: dict[str, Any], *, replace: bool = False) -> bool:
        """Record a fact that costs nothing; return whether it was recorded. The first one stays, unless `replace`."""
        if replace:
            self._execute("DELETE FROM entries WHERE key = ? AND kind = ?", key, kind)
        return bool(self._execute(INSERT + "RETURNING key", *_row(key, kind, "", Record(result=fact))))

    def reserve(self, label: str, worst: Amount, caps: Caps) -> int | Shortage:
        """Reserve an amount until it is released, or return the cap that it could pass.

        What is spent, reserved and asked for is compared in one transaction, so that parallel branches cannot pass a
        cap together.
        """
        with self._transaction() as execute:
            if shortage := _shortage(execute, self._session, worst, caps):
                return shortage
            values = (self._session, label, worst.usd, worst.tokens, worst.executions)
            made = execute(RESERVE, values)
            return int(made.lastrowid or 0)

    def mark_sent(self, reservation: int, record: Record) -> None:
        """Note that the request of a reservation is sent, with the record that counts if its outcome stays unknown."""
        self._execute("UPDATE reservations SET sent = ? WHERE id = ?", json.dumps(asdict(record)), reservation)

    def mark_unsent(self, reservation: int) -> None:
        """Note that the request of a reservation was refused, so that it cost nothing."""
        self._execute("UPDATE reservations SET sent = NULL WHERE id = ?", reservation)

    def count_unknown(self) -> int:
        """Count the requests of earlier sessions whose outcome is unknown; return their number.

        Only for the session that works on the run: another one's requests may still be answered.
        """
        with self._transaction() as execute:
            return _count_sent(execute, "session != ?", self._session)

    def overrun(self, model: str) -> float:
        """Return how many times longer a reply of a model was than its request allowed; 1 where none was."""
        return float(self._execute(OVERRUN, model)[0][0])

    def shortage(self, worst: Amount, caps: Caps) -> Shortage | None:
        """Return the cap that would not allow an amount now."""
        with self._transaction() as execute:
            return _shortage(execute, self._session, worst, caps)

    def output_tokens(self, role: str | None = None, model: str | None = None) -> list[int]:
        """Return the output tokens of every reply, but for those that were cut and asked for again.

        Args:
            role: only its replies.
            model: only its replies.
        """
        rows = self._execute(OUTPUT_TOKENS, role, role, model, model)
        return [int(tokens) for (tokens,) in rows]

    def release(self, reservation: int) -> None:
        """Release the reservation of work that left no entry; a request that was sent counts at its worst-case cost."""
        with self._transaction() as execute:
            _count_sent(execute, "id = ?", reservation)

    def slowest_executions(self, count: int) -> list[float]:
        """Return the seconds of the slowest executions, slowest first: those that ended within their limit, no exports.

        Those of a longer one, such as an evaluation on all rows, are divided by the factor on its time limit.

        Args:
            count: how many at most.
        """
        return [float(row[0]) for row in self._execute(SLOWEST, count)]

    def slowest_execution(self) -> float:
        """Return the seconds of the slowest of them, 0 without any."""
        return next(iter(self.slowest_executions(1)), 0.0)

    def export_factor(self) -> float | None:
        """Return the longest time of an export in multiples of that of its script in the search; None without one."""
        factor = self._execute(EXPORT_FACTOR)[0][0]
        return None if factor is None else float(factor)

    def clock(self, seconds: float) -> None:
        """Set the active time of this session."""
        self._execute(CLOCK, seconds, self._session)

    def keep_time(self, active: Callable[[], float]) -> None:
        """Record the active time of this session until the ledger is closed, every few seconds and a little ahead.

        Args:
            active: returns the seconds of this session.
        """

        def record() -> None:
            ahead = BEAT
            while ahead:
                with suppress(StoreError):  # a full disk is reported where work is recorded
                    self.clock(active() + ahead)
                ahead = 0.0 if self._closing.wait(BEAT) else BEAT
            with suppress(StoreError):
                self.clock(active())

        self._timer = threading.Thread(target=record, name="ledger-time", daemon=True)
        self._timer.start()

    def forget(self) -> None:
        """Forget every entry, so that it is repeated; what it cost and graded submissions stay counted."""
        self._execute(FORGET)
        self._execute("UPDATE entries SET key = key || ' forgotten in session ' || ?", self._session)

    def inherit(self, other: Path) -> None:
        """Take over the finished work of another run, free of charge."""
        self._execute("ATTACH DATABASE ? AS other", str(other))
        self._execute(INHERIT)
        self._execute("DETACH DATABASE other")

    def close(self) -> None:
        """Close the file once all that was started is written."""
        self._closing.set()
        if self._timer is not None:
            self._timer.join()
        self._writer.shutdown()
        with self._lock:
            self._connection.close()

    def _settle(self, key: str, kind: WorkKind, label: str, record: Record, reservation: Reservation | None) -> None:
        with self._transaction() as execute:
            execute(INSERT, _row(key, kind, label, record))
            if reservation:
                execute("DELETE FROM reservations WHERE id = ?", (reservation.id,))

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Let one coroutine at a time work on a key; nothing is kept of a key that nobody works on."""
        lock, waiting = self._working.get(key, (asyncio.Lock(), 0))
        self._working[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._working[key]
            self._working[key] = lock, waiting - 1
            if waiting == 1:
                del self._working[key]

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection.execute
                finally:
                    self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unusable(error) from error

    def _execute(self, statement: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(error) from error


def _row(key: str, kind: WorkKind | NoteKind, label: str, record: Record) -> tuple[object, ...]:
    tokens = record.input_tokens, record.output_tokens, record.cached_tokens, record.reasoning_tokens
    return key, kind, label, to_json(record.result), record.seconds, *tokens, record.usd


def _count_sent(execute: Callable[..., sqlite3.Cursor], which: str, value: int) -> int:
    """Delete reservations, and count the requests among them that were sent; return how many these are."""
    left = f"FROM reservations WHERE {which}"
    rows = execute(f"SELECT label, sent {left} AND sent IS NOT NULL", (value,)).fetchall()
    for label, sent in rows:
        execute(INSERT, _row(f"unknown outcome {uuid4().hex}", "model_call", label, Record(**json.loads(sent))))
    execute(f"DELETE {left}", (value,))
    return len(rows)


def _shortage(execute: Callable[..., sqlite3.Cursor], session: int, worst: Amount, caps: Caps) -> Shortage | None:
    """Return the cap that an amount could pass together with what is spent and reserved; a final one before others."""
    _, read, written, _, _, usd, _, executions, _ = execute(SPENT).fetchone()
    reserved = execute(RESERVED, (session,)).fetchone()
    # Executions cost what they reserve, so that those that run count as done.
    rows: list[tuple[Cap, float | None, float, float, float]] = [
        ("max_usd", caps.usd, usd, reserved[0], worst.usd),
        ("max_tokens", caps.tokens, read + written, reserved[1], worst.tokens),
        ("max_executions", caps.executions, executions + reserved[2], 0, worst.executions),
    ]
    shortages = [
        Shortage(cap=cap, left=limit - spent, final=spent + amount > limit)
        for cap, limit, spent, others, amount in rows
        if limit is not None and spent + others + amount > limit
    ]
    return min(shortages, key=lambda shortage: not shortage.final, default=None)


def _unusable(error: Exception) -> StoreError:
    return StoreError(f"the ledger cannot be used: {error}")


def _not_opened(path: Path, problem: str) -> StoreError:
    advice = f"`mlestar doctor {arguments(path.parent)}` shows and repairs what it can"
    return StoreError(f"cannot open the ledger {path}: {problem}; {advice}")


def read_decisions(path: Path) -> list[str]:
    """Return the review points that a run has passed, oldest first; another process may have its ledger open.

    Nothing is written. A ledger that cannot be read has none.
    """
    statement = "SELECT result FROM entries WHERE kind = 'decision' ORDER BY rowid"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return [str(json.loads(result)["id"]) for (result,) in connection.execute(statement)]
    except (sqlite3.Error, ValueError, TypeError, KeyError):
        return []
