"""Finding damage in a run folder, and repairing what can be repaired.

What is replaced or removed is kept in a folder `damaged-TIME` of the run.
"""

import contextlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlestar.errors import UserError
from mlestar.files import sha256_of
from mlestar.report import Result, recorded_files
from mlestar.store import Ledger, RunFolder
from mlestar.store.content import load_contents
from mlestar.store.damage import database_problem, has_tables

AGAIN = "`mlestar resume` writes it again"
BLOBS_OF_WORK = ("prompt", "text", "stdout", "stderr", "lock")
"""Fields of finished work that name blobs."""
SHA = re.compile(r"[0-9a-f]{64}")
SALVAGED = ("entries", "sessions", "reservations")


@dataclass(frozen=True)
class Finding:
    """One damage of a run."""

    file: str
    """Relative to the run folder."""
    damage: str
    repair: str = ""
    """What was done; empty when nothing can be done here."""
    advice: str = ""
    """What a person can do where nothing was done."""


def repair_run(folder: RunFolder) -> list[Finding]:
    """Look for damage in a run folder, repair what can be repaired, and return all that was found.

    Raises:
        UserError: there is no such run, or another version made it.
        StoreError: another process works on the run.
    """
    if not folder.path.is_dir() or not (folder.settings.exists() or folder.ledger.exists()):
        msg = f"no run {folder.run_id} in {folder.path.parent}; `mlestar runs` lists them"
        raise UserError(msg)
    folder.refuse_foreign_format()
    with folder.lock():
        return list(_Repair(folder).findings())


class _Repair:
    """The repair of one run, which this process has locked."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._backup = folder.path / f"damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"

    def findings(self) -> Iterator[Finding]:
        yield from self._settings()
        yield from self._odd_files()
        yield from self._ledger()
        yield from self._blobs()
        yield from self._checkpoints()
        yield from self._texts()
        yield from self._result()

    def _settings(self) -> Iterator[Finding]:
        try:
            self._folder.read_settings()
        except UserError:
            advice = "put it back from a copy, e.g. from a fork of this run, or start a new run"
            yield Finding("settings.json", "cannot be read", advice=advice)

    def _odd_files(self) -> Iterator[Finding]:
        """Remove what stands in place of a regular file that a run can write again."""
        folder = self._folder
        for path in (folder.checkpoints, folder.questions, folder.contents, folder.result):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
                self._set_aside(path)
                yield Finding(path.name, "is not a regular file", f"removed; {AGAIN}")

    def _ledger(self) -> Iterator[Finding]:
        path = self._folder.ledger
        if self._folder.has_lost_ledger():
            advice = "put it back from a copy, or start a new run: without it everything would be paid again"
            yield Finding(path.name, "is empty or gone, although the run has done work", advice=advice)
            return
        if not has_tables(path):
            return
        with _connected(path) as connection:
            problem = database_problem(connection) or ("" if _counts(connection) else "its tables are gone")
        if not problem:
            return
        rebuilt = path.with_name("ledger.sqlite.part")
        rebuilt.unlink(missing_ok=True)
        saved = _salvage(path, rebuilt)
        if not saved:
            rebuilt.unlink(missing_ok=True)
            yield Finding(path.name, problem, advice="put it back from a copy, or start a new run")
            return
        self._set_aside_database(path)
        rebuilt.rename(path)
        self._set_aside_database(self._folder.checkpoints)
        repair = f"{saved} entries that can be read were taken over; `mlestar resume` repeats the others"
        yield Finding(path.name, problem, repair)

    def _blobs(self) -> Iterator[Finding]:
        for path in sorted(self._folder.blobs.glob("??/*")):
            if not _has_content(path, path.parent.name + path.name):
                self._set_aside(path)
                yield Finding(self._name(path), "its content is not what its name says", "removed")
        if self._is_usable_ledger():
            yield from self._forget_work_without_blobs()

    def _forget_work_without_blobs(self) -> Iterator[Finding]:
        with _connected(self._folder.ledger) as connection:
            rows = connection.execute("SELECT key, kind, label, result FROM entries ORDER BY rowid").fetchall()
        losses = {key: (kind, label, what) for key, kind, label, result in rows if (what := self._loss(kind, result))}
        if not losses:
            return
        self._keep_database(self._folder.ledger)
        with _connected(self._folder.ledger) as connection:
            for key, (kind, label, what) in losses.items():
                _forget(connection, key, kind)
                yield Finding("ledger.sqlite", f"{kind} {label}".strip() + f": {what}", "`mlestar resume` repeats it")
        # The state in the checkpoints may name the same blobs; without it, the ledger replays the run.
        self._set_aside_database(self._folder.checkpoints)

    def _loss(self, kind: str, result: str) -> str:
        """Return what a record of the ledger lacks, empty when it is whole."""
        try:
            content = json.loads(result)
        except (ValueError, RecursionError):
            return "its record cannot be read"
        lost = [sha for sha in _blobs_of(kind, content) if not self._blob(sha).is_file()]
        return f"blob {lost[0][:12]} is gone" if lost else ""

    def _checkpoints(self) -> Iterator[Finding]:
        path = self._folder.checkpoints
        if not path.is_file():
            return
        with _connected(path) as connection:
            problem = database_problem(connection)
        if problem:
            self._set_aside_database(path)
            yield Finding(path.name, problem, "removed; `mlestar resume` replays the ledger, which costs nothing")

    def _texts(self) -> Iterator[Finding]:
        questions, contents = self._folder.questions, self._folder.contents
        if questions.is_file() and not _is_json(questions):
            self._set_aside(questions)
            yield Finding(questions.name, "cannot be read", f"removed; {AGAIN}")
        if contents.is_file() and load_contents(contents) is None:
            self._set_aside(contents)
            yield Finding(contents.name, "cannot be read", "removed; a resume takes the data as they are now")

    def _result(self) -> Iterator[Finding]:
        path = self._folder.result
        if not path.is_file():
            return
        try:
            result = Result.read(path).moved_to(self._folder.path)
        except UserError:
            self._set_aside(path)
            yield Finding(path.name, "cannot be read", f"removed; {AGAIN} from the ledger")
            return
        if result.report and not Path(result.report).is_file() and self._is_usable_ledger():
            self._set_aside(path)
            yield Finding("report.html", "is gone", f"{AGAIN} from the ledger")
        files = recorded_files(result)
        if foreign := [file for file in files if file not in (self._folder.submission, self._folder.solution)]:
            self._set_aside(path)
            yield Finding(path.name, f"names {foreign[0]}, which is not a file of this run", f"removed; {AGAIN}")
            return
        for file, sha in files.items():
            if not _has_content(file, sha):
                yield self._restore(file, sha)

    def _restore(self, file: Path, sha: str) -> Finding:
        damage = "was changed after the run wrote it" if os.path.lexists(file) else "is gone"
        if os.path.lexists(file):
            self._set_aside(file)
        if SHA.fullmatch(sha) and _has_content(self._blob(sha), sha):
            self._folder.copy_file(self._blob(sha), file)
            return Finding(file.name, damage, "restored from its blob")
        if not self._is_usable_ledger():
            return Finding(file.name, damage, advice="its blob and the ledger are gone: put it back from a copy")
        if self._folder.result.is_file():
            self._set_aside(self._folder.result)
        self._set_aside_database(self._folder.checkpoints)
        return Finding(file.name, f"{damage}, and its blob is gone", AGAIN)

    def _is_usable_ledger(self) -> bool:
        path = self._folder.ledger
        if self._folder.has_lost_ledger() or not has_tables(path):
            return False
        with _connected(path) as connection:
            return not database_problem(connection) and _counts(connection)

    def _blob(self, sha: str) -> Path:
        return self._folder.blobs / sha[:2] / sha[2:]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder.path).as_posix()

    def _place(self, path: Path) -> Path:
        target = self._backup / path.relative_to(self._folder.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _keep_copy(self, path: Path) -> None:
        target = self._place(path)
        if not target.exists():
            shutil.copy2(path, target)

    def _set_aside(self, path: Path) -> None:
        path.rename(self._place(path))

    def _keep_database(self, path: Path) -> None:
        for file in _database_files(path):
            self._keep_copy(file)

    def _set_aside_database(self, path: Path) -> None:
        for file in _database_files(path):
            self._set_aside(file)


def _database_files(path: Path) -> list[Path]:
    """Return a database and the files in which SQLite keeps what it wrote last."""
    return [file for end in ("", "-wal", "-shm") if (file := path.with_name(path.name + end)).is_file()]


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _counts(connection: sqlite3.Connection) -> bool:
    """Return whether the table of the entries is there, with its columns."""
    try:
        connection.execute("SELECT key, kind, label, result, seconds, usd, inherited FROM entries").fetchone()
    except sqlite3.Error:
        return False
    return True


def _salvage(path: Path, target: Path) -> int:
    """Copy what can be read of a damaged ledger into a new one; return the number of entries."""
    Ledger(target).close()
    with _connected(path) as old, _connected(target) as new:
        new.execute("DELETE FROM sessions")
        for table in SALVAGED:
            for row in _readable_rows(old, table):
                names = ", ".join(row)
                marks = ", ".join("?" * len(row))
                with contextlib.suppress(sqlite3.Error):
                    new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608  # names of our own tables
        return int(new.execute("SELECT count(*) FROM entries").fetchone()[0])


def _readable_rows(connection: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows from the first and from the last up to where the table is damaged."""
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error):
            cursor = connection.execute(f"SELECT * FROM {table} ORDER BY rowid {order}")  # noqa: S608  # our own table
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))


def _blobs_of(kind: str, content: Any) -> list[str]:
    """Return the blobs that a record of the ledger refers to."""
    if not isinstance(content, dict):
        return []
    if kind == "solution":
        verdict = content.get("verdict") or {}
        named = [content.get("script"), *(verdict.get(name) for name in ("submission", "output", "lock"))]
    elif kind in ("model_call", "execution", "export"):
        named = [*(content.get(name) for name in BLOBS_OF_WORK), *(content.get("files") or {}).values()]
    elif kind in ("packages", "submitted"):
        named = [content.get("lock"), content.get("script")]
    else:
        return []
    return [sha for sha in named if isinstance(sha, str) and SHA.fullmatch(sha)]


def _forget(connection: sqlite3.Connection, key: str, kind: str) -> None:
    """Forget an entry, so that it is repeated: the cost of work stays counted, other facts are determined again."""
    if kind in ("model_call", "execution", "export", "retrieval"):
        statement = "UPDATE entries SET key = key || ' lost ' || rowid WHERE key = ?"
    else:
        statement = "DELETE FROM entries WHERE key = ?"
    connection.execute(statement, (key,))


def _has_content(path: Path, sha: str) -> bool:
    """Return whether a path is a regular file with the content of a hash; links do not count as such."""
    try:
        return not path.is_symlink() and sha256_of(path) == sha
    except OSError:
        return False


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True
