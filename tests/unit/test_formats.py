"""A run folder that another version made is refused in one line, listed as such and left alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import UserError
from mlestar.integrations.runs import Runs
from mlestar.report import Result
from mlestar.settings import Settings
from mlestar.state import Answer
from mlestar.store import FORMAT, RunFolder
from tests.unit.command_line import call
from tests.unit.scenario import Scenario, make_task, solve

RESULT = {
    "run_id": "old",
    "task": "signs",
    "status": "solved",
    "metric": "accuracy",
    "direction": "maximize",
    "score": {"search": 0.9, "search_se": 0.01, "selection": 0.8, "selection_se": 0.02, "reported": 0.95},
    "winner": "t0.c1",
    "folder": "/runs/old",
    "rehearsal": {"kind": "prefix:-", "fraction": 0.2},
    "finals": [{"solution": "t0.c1", "selection": 0.8}],
    "spend": {"model_calls": 3, "searches": 1},
    "solutions": [{"id": "t0.c1", "origin": "candidate", "script": "blobs/ab/abcd"}],
}
QUESTIONS = [{"id": "plan:t0.r1.1", "point": "plan", "actions": ["approve"], "answer": {"action": "approve"}}]


@pytest.fixture(params=[1, 2, FORMAT + 1])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run folder as an earlier or a later version leaves it."""
    folder = tmp_path / "runs/old"
    (folder / "blobs/ab").mkdir(parents=True)
    (folder / "blobs/ab/abcd").write_text("print(1)\n", encoding="utf-8")
    task = make_task(tmp_path / "signs", rows=40)
    settings = {"version": request.param, "task": str(task), "settings": {"search": {"sources": ["none"]}, "seed": 0}}
    write(folder / "settings.json", settings)
    write(folder / "result.json", RESULT)
    write(folder / "questions.json", QUESTIONS)
    return folder


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reader(version: int) -> str:
    return "mlestar 0.1.0" if version < FORMAT else "a later version of mlestar"


def check_refusal(old: Path, message: str) -> None:
    version = json.loads((old / "settings.json").read_text(encoding="utf-8"))["version"]
    assert f"run old has format {version}, which {reader(version)} can resume" in message
    assert len(message.strip().splitlines()) == 1


CALLS: dict[str, Callable[[Path], object]] = {
    "resume": lambda runs: mlestar.resume("old", runs_dir=runs),
    "resume afresh": lambda runs: mlestar.resume("old", runs_dir=runs, fresh=True),
    "resume with answers": lambda runs: mlestar.resume("old", runs_dir=runs, answers={"plan:t0.r1.1": Answer()}),
    "fork": lambda runs: mlestar.fork("old", at="settings", runs_dir=runs),
    "solve": lambda runs: mlestar.solve(
        runs.parent / "signs", settings={"runs_dir": runs, "model": "offline"}, run_id="old"
    ),
}


@pytest.mark.parametrize("work", CALLS.values(), ids=CALLS.keys())
def test_nothing_works_on_a_run_of_another_format(old: Path, work: Callable[[Path], object]) -> None:
    before = files(old.parent)
    with pytest.raises(UserError) as raised:
        work(old.parent)
    check_refusal(old, str(raised.value))
    assert files(old.parent) == before


@pytest.mark.parametrize(
    "arguments",
    [("resume", "old"), ("resume", "old", "--answer", "questions.json"), ("fork", "old", "--at", "settings")],
    ids=" ".join,
)
def test_the_command_line_says_so_in_one_line(
    old: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(old)
    done = call(*arguments, "--runs-dir", old.parent)
    assert done.exit_code == 2
    check_refusal(old, done.stderr)


def test_the_run_is_listed_as_what_it_is(old: Path) -> None:
    version = json.loads((old / "settings.json").read_text(encoding="utf-8"))["version"]
    done = call("runs", "--runs-dir", old.parent)
    assert done.exit_code == 0
    assert f"format {version}, of {reader(version)}" in " ".join(done.stdout.split())
    (facts,) = json.loads(call("runs", "--runs-dir", old.parent, "--json").stdout)
    assert (facts["run_id"], facts["status"].startswith(f"format {version}")) == ("old", True)


def test_pruning_leaves_it_alone(old: Path) -> None:
    before = files(old)
    assert mlestar.prune(old.parent) == {}
    assert call("runs", "--runs-dir", old.parent, "--prune").exit_code == 0
    after = files(old)
    after.pop(old / ".lock", None)
    assert after == before


async def test_clients_of_mcp_get_the_same_message(old: Path) -> None:
    runs = Runs(Settings.resolve({"runs_dir": old.parent, "model": "offline"}))
    for ask in (runs.status, runs.result):
        with pytest.raises(UserError) as raised:
            await ask("old")
        check_refusal(old, str(raised.value))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"version": "x"}', f'{{"version": {FORMAT}}}'])
def test_settings_that_are_damaged_are_one_line(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path, "run")
    folder.create()
    folder.settings.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"settings\.json cannot be read"):
        folder.read_settings()
    assert "unfinished" in call("runs", "--runs-dir", tmp_path).stdout


@pytest.mark.parametrize("content", ["{", "[]", json.dumps(RESULT)])
async def test_a_result_that_is_damaged_is_one_line(tmp_path: Path, content: str) -> None:
    await solve(tmp_path, Scenario(), outer_steps=0)
    (tmp_path / "runs/run/result.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"result\.json is no result"):
        Result.read(tmp_path / "runs/run/result.json")
    done = call("resume", "run", "--runs-dir", tmp_path / "runs")
    assert (done.exit_code, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "unreadable" in call("runs", "--runs-dir", tmp_path / "runs").stdout
    assert mlestar.prune(tmp_path / "runs") == {}


async def test_a_run_records_the_version_that_made_it(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario(), outer_steps=0)
    assert RunFolder(tmp_path / "runs", "run").read_settings().made_by == mlestar.__version__
