"""Damage in the folder of a run: one line that names the file, and what `mlestar doctor` repairs."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mlestar.data.examples import write_example
from tests.integration.command import run_mlestar

FIELDS = {"model_call": "text", "execution": "files"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the offline engineer."""
    root = tmp_path_factory.mktemp("damage")
    task = write_example("diabetes", root / "task")
    options = ("--model", "offline", "--runner", "local", "--profile", "quick", "--runs-dir", root / "runs")
    ended = run_mlestar("run", task, *options, "--run-id", "base")
    assert ended.returncode == 0, ended.stderr
    return root / "runs" / "base"


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def garble(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage" * 1000)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def blob_of(run: Path, kind: str) -> Path:
    """Return the blob of the first model call's reply, or of the first execution's submission."""
    connection = sqlite3.connect(run / "ledger.sqlite")
    (text,) = connection.execute("SELECT result FROM entries WHERE kind = ? ORDER BY rowid", (kind,)).fetchone()
    connection.close()
    value = json.loads(text)[FIELDS[kind]]
    sha = value if isinstance(value, str) else next(iter(value.values()))
    return run / "blobs" / sha[:2] / sha[2:]


def unfinished(run: Path) -> Path:
    """Let a run have to be replayed: without its result and its checkpoints."""
    (run / "result.json").unlink()
    (run / "checkpoints.sqlite").unlink()
    return run


def without_result(run: Path) -> Path:
    (run / "result.json").unlink()
    return run


REPAIRED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "submission changed": ("submission.csv", lambda run: flip(run / "submission.csv")),
    "submission gone": ("submission.csv", lambda run: (run / "submission.csv").unlink()),
    "script changed": ("solution.py", lambda run: flip(run / "solution.py")),
    "result garbage": ("result.json", lambda run: garble(run / "result.json")),
    "reply changed": ("blobs/", lambda run: flip(blob_of(unfinished(run), "model_call"))),
    "reply gone": ("blobs/", lambda run: blob_of(unfinished(run), "model_call").unlink()),
    "graded submission changed": ("blobs/", lambda run: flip(blob_of(unfinished(run), "execution"))),
    "graded submission gone": ("blobs/", lambda run: blob_of(unfinished(run), "execution").unlink()),
    "checkpoints garbage": (
        "checkpoints.sqlite",
        lambda run: garble(without_result(run) / "checkpoints.sqlite"),
    ),
    "checkpoints cut": (
        "checkpoints.sqlite",
        lambda run: cut(without_result(run) / "checkpoints.sqlite"),
    ),
}
LOST: dict[str, tuple[str, Callable[[Path], object]]] = {
    "settings garbage": ("settings.json", lambda run: garble(run / "settings.json")),
    "settings a list": ("settings.json", lambda run: (run / "settings.json").write_text("[1]")),
    "settings deep": ("settings.json", lambda run: (run / "settings.json").write_text("[" * 100_000)),
    "ledger empty": ("ledger.sqlite", lambda run: empty(unfinished(run) / "ledger.sqlite")),
    "ledger garbage": ("ledger.sqlite", lambda run: garble(unfinished(run) / "ledger.sqlite")),
}


def damage(finished: Path, name: str, change: Callable[[Path], object]) -> Path:
    run = finished.with_name(name.replace(" ", "-"))
    shutil.copytree(finished, run)
    change(run)
    return run


def files_of(run: Path) -> dict[str, bytes]:
    """Return the content of every file but for those that SQLite and the lock write on opening."""
    skipped = (".lock", "-wal", "-shm")
    paths = (path for path in run.rglob("*") if path.is_file() and not path.name.endswith(skipped))
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", REPAIRED)
def test_damage_is_one_line_and_can_be_repaired(finished: Path, name: str) -> None:
    file, change = REPAIRED[name]
    run = damage(finished, name, change)
    options = (run.name, "--runs-dir", run.parent)
    refused = run_mlestar("resume", *options)
    assert refused.returncode in (1, 2)
    assert "Traceback" not in refused.stderr
    assert file in refused.stderr
    assert "mlestar doctor" in refused.stderr
    repaired = run_mlestar("doctor", *options)
    assert repaired.returncode == 0, repaired.stdout
    assert file in repaired.stdout or "ledger.sqlite" in repaired.stdout
    assert any(run.glob("damaged-*")) == (name != "submission gone")
    resumed = run_mlestar("resume", *options)
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "submission.csv").read_bytes() == (finished / "submission.csv").read_bytes()
    assert "no damage found" in run_mlestar("doctor", *options).stdout


@pytest.mark.parametrize("name", LOST)
def test_what_cannot_be_repaired_is_left_as_it_is(finished: Path, name: str) -> None:
    file, change = LOST[name]
    run = damage(finished, name, change)
    options = (run.name, "--runs-dir", run.parent)
    before = files_of(run)
    refused, looked = run_mlestar("resume", *options), run_mlestar("doctor", *options)
    assert refused.returncode in (1, 2)
    assert looked.returncode == 1
    assert "Traceback" not in refused.stderr + looked.stderr
    assert file in refused.stderr
    assert file in looked.stdout
    assert files_of(run).items() >= {name: text for name, text in before.items() if name != "result.json"}.items()


def test_a_run_at_work_is_not_repaired(finished: Path) -> None:
    from mlestar.store import RunFolder

    folder = RunFolder(finished.parent, finished.name)
    with folder.lock():
        refused = run_mlestar("doctor", finished.name, "--runs-dir", finished.parent)
    assert refused.returncode == 1
    assert "is in use by process" in refused.stderr
