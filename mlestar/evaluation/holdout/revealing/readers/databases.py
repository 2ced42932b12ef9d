"""SQLite databases: every table, read only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd

from mlestar.evaluation.holdout.revealing.readers.bounds import MAX_BYTES, Allowance, TooLargeError
from mlestar.evaluation.holdout.revealing.records import Records

MAGIC = b"SQLite format 3\0"
_MAX_FIELD = 1_000_000
"""Bytes of the longest value that is read. Chosen by judgement; not measured."""
_STEPS = 100_000
"""Instructions of the database engine between two checks of the clock. Chosen by judgement; not measured."""
_BATCH = 10_000


def read_database(path: Path, allowance: Allowance) -> tuple[Records, ...]:
    """Return every table of a database, in the order of its rows.

    Raises:
        sqlite3.Error: it cannot be read.
        TooLargeError: it exceeds a limit.
    """
    if path.stat().st_size > MAX_BYTES:
        msg = f"{path.name} is too large"
        raise TooLargeError(msg)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_FIELD)
        connection.set_progress_handler(lambda: _is_over(allowance), _STEPS)
        connection.text_factory = lambda data: data.decode(errors="replace")
        return tuple(_read_tables(connection, allowance))


def _is_over(allowance: Allowance) -> bool:
    try:
        allowance.check_time()
    except TooLargeError:
        return True
    return False


def _read_tables(connection: sqlite3.Connection, allowance: Allowance) -> Iterator[Records]:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    ).fetchall()
    for (name,) in tables:
        quoted = str(name).replace('"', '""')
        cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608  # the name is quoted
        columns = [str(column[0]) for column in cursor.description]
        rows: list[tuple[str, ...]] = []
        while batch := cursor.fetchmany(_BATCH):
            allowance.take_cells(len(batch) * len(columns))
            rows += [tuple(map(_text, row)) for row in batch]
        if rows:
            yield Records(str(name), pd.DataFrame(rows, columns=columns, dtype=str))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value[:64].decode(errors="replace")
    return "" if value is None else str(value)
