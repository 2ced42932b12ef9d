"""Files of a run are replaced by folders, pipes and links, and records by JSON of 100,000 levels.

Outcome: succeeded; prevented since. `doctor` waited for a pipe, ended with a traceback, or saw nothing.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.command_line import call
from tests.unit.scenario import Scenario, solve


def blob(run: Path) -> Path:
    return min((run / "blobs").glob("??/*"))


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def change_ledger(run: Path, statement: str, *values: str) -> None:
    connection = sqlite3.connect(run / "ledger.sqlite")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


DAMAGES: dict[str, tuple[str, int, Callable[[Path], None]]] = {
    "a blob is a folder": ("blobs/", 0, lambda run: to_folder(blob(run))),
    "a blob is a pipe": ("blobs/", 0, lambda run: to_pipe(blob(run))),
    "a blob is a link": ("blobs/", 0, lambda run: to_link(blob(run))),
    "the submission is a folder": ("submission.csv", 0, lambda run: to_folder(run / "submission.csv")),
    "the script is a pipe": ("solution.py", 0, lambda run: to_pipe(run / "solution.py")),
    "the settings are a pipe": ("settings.json", 1, lambda run: to_pipe(run / "settings.json")),
    "the settings are a folder": ("settings.json", 1, lambda run: to_folder(run / "settings.json")),
    "the ledger is a folder": ("ledger.sqlite", 1, lambda run: to_folder(run / "ledger.sqlite")),
    "the ledger is a pipe": ("ledger.sqlite", 1, lambda run: to_pipe(run / "ledger.sqlite")),
    "the result is a pipe": ("result.json", 0, lambda run: to_pipe(run / "result.json")),
    "the checkpoints are a folder": ("checkpoints.sqlite", 0, lambda run: to_folder(run / "checkpoints.sqlite")),
    "the contents are a pipe": ("contents.json", 0, lambda run: to_pipe(run / "contents.json")),
    "a deep record": (
        "ledger.sqlite",
        0,
        lambda run: change_ledger(run, "UPDATE entries SET result = ? WHERE kind = 'model_call'", "[" * 100_000),
    ),
    "a column is gone": (
        "ledger.sqlite",
        1,
        lambda run: change_ledger(run, "ALTER TABLE entries RENAME COLUMN usd TO other"),
    ),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import asyncio

    root = tmp_path_factory.mktemp("odd-files")
    asyncio.run(solve(root, Scenario()))
    return root / "runs" / "run"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", DAMAGES)
def test_doctor_names_the_file(finished: Path, name: str) -> None:
    file, code, damage = DAMAGES[name]
    run = finished.with_name(name.replace(" ", "-"))
    shutil.copytree(finished, run)
    damage(run)
    ended = call("doctor", run.name, "--runs-dir", run.parent)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code == code, ended.output
    assert any(file in line for line in ended.stdout.splitlines() if line.startswith(("repaired", "damaged"))), (
        ended.stdout
    )
