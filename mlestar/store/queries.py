"""What can be read of a ledger, by the process that works on a run and by others."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.errors import StoreError
from mlestar.store.damage import arguments, damaged
from mlestar.store.kinds import NoteKind
from mlestar.store.rows import Executed, RoleSpend
from mlestar.store.statements import ANSWERED, EVALUATED, EXECUTIONS, SPAN, SPEND_BY_ROLE, SPENT

WAIT_SECONDS = 5.0
"""Time that a reader waits for a writer. Chosen by judgement: a transaction takes milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What a run has cost so far."""

    model_calls: int
    """Those without a known outcome count in tokens and money only."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    """Of the input tokens."""
    reasoning_tokens: int
    """Of the output tokens."""
    usd: float | None
    """None when a call was made whose price is unknown."""
    executions: int
    retrievals: int
    seconds: float
    """Active time, summed over the sessions that worked on the run."""

    @property
    def tokens(self) -> int:
        """Input and output tokens of all model calls."""
        return self.input_tokens + self.output_tokens


class LedgerQueries:
    """Reads a ledger; who opens it says how statements are executed."""

    _path: Path

    def _execute(self, statement: str, *values: object) -> list[Any]:
        raise NotImplementedError

    def recall(self, key: str) -> dict[str, Any] | None:
        rows = self._execute("SELECT result FROM entries WHERE key = ?", key)
        return self._read(rows[0][0]) if rows else None

    def notes(self, kind: NoteKind) -> list[dict[str, Any]]:
        """Return the facts of a kind, oldest first."""
        rows = self._execute("SELECT result FROM entries WHERE kind = ? ORDER BY rowid", kind)
        return [self._read(result) for (result,) in rows]

    def spend(self) -> Spend:
        calls, read, written, cached, reasoning, usd, unpriced, executions, retrievals = self._execute(SPENT)[0]
        seconds = self._execute("SELECT total(seconds) FROM sessions")[0][0]
        return Spend(
            model_calls=calls,
            input_tokens=read,
            output_tokens=written,
            cached_tokens=cached,
            reasoning_tokens=reasoning,
            usd=None if unpriced else usd,
            executions=executions,
            retrievals=retrievals,
            seconds=seconds,
        )

    def answered(self) -> list[tuple[str, str, int]]:
        """Return every model and role with the number of its replies, in the order in which they first answered."""
        return [(model, role, count) for model, role, count in self._execute(ANSWERED)]

    def span(self) -> tuple[str | None, str | None]:
        """Return when the first and the last entry of the run itself were made, in ISO 8601."""
        first, last = self._execute(SPAN)[0]
        return first, last

    def executions(self) -> list[Executed]:
        """Return the executions of the run itself, in the order in which they ended."""
        return [Executed(*row) for row in self._execute(EXECUTIONS)]

    def evaluated(self) -> list[tuple[str, str]]:
        """Return the id of every solution with the time of its evaluation."""
        return [(solution, finished) for solution, finished in self._execute(EVALUATED)]

    def spend_by_role(self) -> list[RoleSpend]:
        """Return what the model calls of each role took, in the order in which they were first called."""
        return [RoleSpend(*row) for row in self._execute(SPEND_BY_ROLE)]

    def _read(self, result: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(result)
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(self._path.parent, self._path.name, "holds an entry that cannot be read") from error
        return content


class LedgerReader(LedgerQueries):
    """Reads the ledger of a run that another process may be working on, and changes nothing."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take an open connection to the file."""
        self._path = path
        self._connection = connection

    def _execute(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


@contextmanager
def reading(path: Path) -> Iterator[LedgerReader]:
    """Open a ledger for reading alone: all that is read is of one moment.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise damaged(path.parent, path.name, "is gone")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=WAIT_SECONDS)) as connection:
            connection.execute("BEGIN")
            yield LedgerReader(path, connection)
    except sqlite3.Error as error:
        msg = f"the ledger {path} cannot be read: {error}; `mlestar doctor {arguments(path.parent)}` says more"
        raise StoreError(msg) from error
