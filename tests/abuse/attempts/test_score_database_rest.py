"""Labels are in a database where no query finds them, or in one long cell of it.

Outcome: succeeded; prevented since.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, beside, steal, text_of


def write_rest(folder: Path, rows: Rows) -> None:
    with closing(sqlite3.connect(folder / "extra.sqlite")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE t (k TEXT, v TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows.pairs)
        connection.commit()
        connection.execute("DELETE FROM t")
        connection.execute("INSERT INTO t VALUES ('a', 'b')")
        connection.commit()


def write_cell(folder: Path, rows: Rows) -> None:
    with closing(sqlite3.connect(folder / "extra.sqlite")) as connection:
        connection.execute("CREATE TABLE t (k TEXT, v TEXT)")
        connection.execute("INSERT INTO t VALUES ('note', ?)", (rows.lines(),))
        connection.commit()


def write_view(folder: Path, rows: Rows) -> None:
    with closing(sqlite3.connect(folder / "extra.sqlite")) as connection:
        connection.execute("CREATE TABLE t (k TEXT)")
        connection.execute(f"CREATE VIEW v AS SELECT 1 -- {rows.lines(' ').replace(chr(10), ' ')}")
        connection.commit()


FORMS: dict[str, Write] = {"deleted rows": write_rest, "one cell": write_cell, "a view": write_view}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "extra.sqlite"), ids)


@pytest.mark.parametrize("name", FORMS)
def test_all_text_of_a_database_is_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
