"""What trackers know of a run by its folder, and how they go on when what they send is not taken."""

import asyncio
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mlestar.metrics.precision import round_score
from mlestar.progress import read_events
from mlestar.report import Result
from mlestar.store import RunFolder
from mlestar.trackers.course import Course
from mlestar.trackers.facts import child_metrics, child_params, final_metrics, point_metrics, run_params
from mlestar.trackers.following import Pauses, follow
from tests.unit.scenario import Scenario, solve

SHORT = Pauses(look=0.001, first=0.0, at_end=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Return a finished run with a script that failed; change nothing in it."""
    path = tmp_path_factory.mktemp("course")
    asyncio.run(
        solve(path, Scenario(jobs={"t0.c1": "broken"}), debug_rounds=0, base_url="https://host/v1?key=abcdefghij")
    )
    return RunFolder(path / "runs", "run")


def read(folder: RunFolder) -> Course:
    course = Course(folder)
    course.finish()
    return course


def test_every_solution_of_the_result_is_an_evaluation(folder: RunFolder) -> None:
    course, result = read(folder), Result.read(folder.result)
    assert course.evaluations.keys() == {row.id for row in result.solutions}
    assert course.status == "solved"
    failed = course.evaluations["t0.c1"]
    assert (failed.status, failed.score, failed.origin) == ("error", None, "candidate")
    assert all(one.began <= one.ended <= course.last for one in course.evaluations.values())
    assert "# quality" in str(course.script(course.evaluations["t0.c2"]))


def test_without_events_the_result_says_the_same(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    (tmp_path / "run/events.jsonl").unlink()
    with_events, without = read(folder), read(RunFolder(tmp_path, "run"))
    assert without.status == "solved"
    for name, own in with_events.evaluations.items():
        other = without.evaluations[name]
        assert replace(other, began=own.began, ended=own.ended, plan=own.plan) == own
        assert without.script(other) == with_events.script(own)


def test_scores_are_as_precise_as_they_are_shown(folder: RunFolder) -> None:
    course, result = read(folder), Result.read(folder.result)
    shown = {round_score(row.score.holdout, row.score.holdout_se) for row in result.solutions}
    metrics = [child_metrics(one, result.solution_row(name)) for name, one in course.evaluations.items()]
    assert {one.get("score") for one in metrics} == shown
    assert any("gain" in one for one in metrics)
    errors = [value for row in result.solutions for value in (row.score.holdout_se, row.score.fresh_se, row.gain_se)]
    exact = {value for value in errors if value != round_score(value, value)}
    told = [value for one in [*metrics, final_metrics(result)] for value in one.values()]
    assert exact
    assert not exact & set(told)


def test_parameters_have_the_settings_without_secrets(folder: RunFolder) -> None:
    course = read(folder)
    params = run_params(course)
    assert params["settings.debug_rounds"] == "0"
    assert "abcdefghij" not in json.dumps(params)
    assert not any(name.startswith("settings.trackers") for name in params)
    row = Result.read(folder.result).solution_row("winner")
    assert child_params(course.evaluations[row.id], row).get("parent") == row.parent


def test_points_count_executions(folder: RunFolder) -> None:
    course, result = read(folder), Result.read(folder.result)
    points = sorted(course.points.values(), key=lambda point: point.executions)
    best = [point_metrics(point)["best_score"] for point in points if point.best is not None]
    assert points[-1].executions == result.spend.executions
    assert point_metrics(points[-1])["tokens"] == result.spend.tokens
    assert best == sorted(best)


def test_a_run_that_was_killed_has_no_status(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.path, tmp_path / "run")
    events = tmp_path / "run/events.jsonl"
    events.write_bytes(b"".join(events.read_bytes().splitlines(keepends=True)[:-1]))
    course = read(RunFolder(tmp_path, "run"))
    assert course.status is None
    assert course.last == read_events(events)[-1].time


class Flaky:
    """A tracker that fails a number of times."""

    title = "the server"

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.sent = 0
        self.finished = False

    def send(self) -> None:
        self.sent += 1
        if self.left:
            self.left -= 1
            msg = f"refused {self.left}\nsecond line"
            raise ConnectionError(msg)

    def finish(self) -> None:
        self.send()
        self.finished = True

    def describe(self) -> str:
        return "its page"


def ended() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@pytest.mark.parametrize(("failures", "lines"), [(0, 1), (1, 2), (9, 1)])
def test_a_failure_is_told_once(folder: RunFolder, failures: int, lines: int) -> None:
    tracker, told = Flaky(failures), list[str]()
    assert follow(Course(folder), tracker, ended(), told.append, SHORT) == tracker.finished == (failures < 9)
    assert len(told) == lines
    assert ("sent to its page" in told) == tracker.finished
    assert not failures or told[0].startswith(
        f"the server does not take the run (refused {failures - 1}); the run goes"
    )


def test_what_was_not_taken_is_sent_again_while_the_run_goes_on(folder: RunFolder) -> None:
    end, told = threading.Event(), list[str]()

    class EndsRun(Flaky):
        def send(self) -> None:
            super().send()
            end.set()

    tracker = EndsRun(2)
    assert follow(Course(folder), tracker, end, told.append, SHORT)
    assert tracker.sent == 4  # two that failed, one, and the last
    assert len(told) == 2
