"""Detecting damaged files of a run, and the one line that names such a file."""

import sqlite3
from pathlib import Path

from mlestar.errors import StoreError


def damaged(run: Path, file: str, what: str) -> StoreError:
    """Return the error for a damaged file of a run: what is wrong, and the command that repairs what it can."""
    return StoreError(f"{run / file} {what}: `mlestar doctor {arguments(run)}` shows and repairs what it can")


def arguments(run: Path) -> str:
    """Return what follows a command that works on a run: its name, and the runs folder when that is not the default."""
    return run.name if run.parent == Path("runs").absolute() else f"{run.name} --runs-dir {run.parent}"


def database_problem(connection: sqlite3.Connection) -> str:
    """Return what SQLite finds wrong in a database, empty when it is intact."""
    try:
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if finding == "ok" else str(finding).splitlines()[-1]


def has_tables(path: Path) -> bool:
    """Return whether a database holds a table; one that is damaged counts, and one that does not exist does not."""
    if not path.is_file() or path.stat().st_size == 0:
        # Its tables may still be in its write-ahead log.
        return path.with_name(f"{path.name}-wal").is_file() and path.is_file()
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return True
