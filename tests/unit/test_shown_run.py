"""`--json`, `--quiet` and `mlestar watch`: what is printed of a run for people and for programs."""

import asyncio
import json
from pathlib import Path

import pytest

from mlestar.events import Event
from mlestar.progress import EventLog, read_events
from mlestar.report import Result
from mlestar.store import RunFolder
from tests.unit.command_line import call
from tests.unit.scenario import Scenario, solve


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runs folder with a finished run, `run`; change nothing there."""
    folder = tmp_path_factory.mktemp("shown")
    asyncio.run(solve(folder, Scenario(), outer_steps=0))
    return folder / "runs"


def test_json_prints_an_event_per_line_and_the_result_as_the_last(runs: Path) -> None:
    done = call("resume", "run", "--runs-dir", runs, "--json")
    *events, result = done.stdout.splitlines()
    assert [Event.model_validate_json(line).stage for line in events] == ["resume"]
    assert Result.model_validate_json(result).status == "solved"
    assert "run run is finished" in done.stderr


@pytest.mark.parametrize("command", ["resume", "watch"])
def test_quiet_json_prints_the_result_alone(runs: Path, command: str) -> None:
    done = call(command, "run", "--runs-dir", runs, "--json", "--quiet")
    assert json.loads(done.stdout)["run_id"] == "run"
    assert (done.stdout.count("\n"), done.stderr, done.exit_code) == (1, "", 0)


@pytest.mark.parametrize("command", ["resume", "watch"])
def test_quiet_prints_the_result_without_lines_of_progress(runs: Path, command: str) -> None:
    quiet, usual = call(command, "run", "--runs-dir", runs, "-q"), call(command, "run", "--runs-dir", runs)
    assert "submission" in quiet.stdout
    assert len(quiet.stdout.splitlines()) < len(usual.stdout.splitlines())
    assert usual.stdout.endswith(quiet.stdout)


def test_watch_shows_the_lines_and_the_result_of_a_run_that_has_ended(runs: Path) -> None:
    done = call("watch", "run", "--runs-dir", runs)
    assert done.exit_code == 0, done.stderr
    assert "t0.c2" in done.stdout
    assert "is asked" not in done.stdout
    assert "signs: solved" in done.stdout


def test_watch_passes_on_every_event_as_json(runs: Path) -> None:
    *events, result = call("watch", "run", "--runs-dir", runs, "--json").stdout.splitlines()
    assert [Event.model_validate_json(line) for line in events] == read_events(runs / "run" / "events.jsonl")
    assert Result.model_validate_json(result).status == "solved"


def test_watch_changes_nothing_in_the_folder(runs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (runs / "run").rglob("*")}
    call("watch", "run", "--runs-dir", runs)
    assert {path: path.stat().st_mtime_ns for path in (runs / "run").rglob("*")} == before


def test_watch_of_no_run_is_one_line(tmp_path: Path) -> None:
    done = call("watch", "run", "--runs-dir", tmp_path)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "no run run" in done.stderr


def killed_run(runs: Path) -> RunFolder:
    """Make the folder of a run whose process ended without a word."""
    folder = RunFolder(runs, "killed")
    folder.create()
    folder.record_settings(runs / "task", {})
    log = EventLog(folder.events)
    log.open()
    log(Event(stage="rank", message="a last line"))
    log.close()
    return folder


def test_watch_of_a_run_that_no_process_works_on_says_how_to_continue(tmp_path: Path) -> None:
    killed_run(tmp_path)
    done = call("watch", "killed", "--runs-dir", tmp_path)
    assert done.exit_code == 1
    assert "a last line" in done.stdout
    assert "mlestar resume killed" in done.stderr


def test_a_run_that_a_process_holds_is_in_use_and_looking_does_not_hold_it(tmp_path: Path) -> None:
    folder = killed_run(tmp_path)
    assert not folder.is_in_use()
    with folder.lock():
        assert folder.is_in_use()
    assert not folder.is_in_use()
    folder.lock().close()
