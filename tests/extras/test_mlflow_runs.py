"""Runs of the offline engineer in a real MLflow server: nested runs, files, model, resume, a server that dies."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlestar.progress import read_events
from mlestar.report import Result
from mlestar.report.result import SolutionRow
from mlestar.store import RunFolder
from tests.extras.mlflow_server import free_port, make_environment, serving
from tests.unit.paths import ROOT
from tests.unit.scenario import make_task

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SETTINGS = ("outer_steps=0", "baselines=false", "trackers.wait_seconds=300")


@dataclass(frozen=True)
class Place:
    """Where runs are made, and the server that they are sent to."""

    python: Path
    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def task(self) -> Path:
        return self.folder / "signs"

    def command(self, *words: object) -> list[str]:
        return [str(word) for word in (self.python, "-m", "mlestar", *words, "--runs-dir", self.folder / "runs")]

    def call(self, *words: object) -> str:
        """Run a command, and return what it printed."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, cwd=self.folder, env=environment()
        )
        return done.stdout + done.stderr

    def run_command(self, run_id: str, *more: object) -> tuple[object, ...]:
        settings = [word for item in (*SETTINGS, f"trackers.mlflow={self.address}") for word in ("--set", item)]
        options = ("--model", "offline", "--runner", "local", "--profile", "quick", "--run-id", run_id)
        return ("run", self.task, *options, *settings, *more)

    def run_folder(self, run_id: str) -> RunFolder:
        return RunFolder(self.folder / "runs", run_id)

    def notes(self, run_id: str) -> list[str]:
        """Return what trackers told during a run."""
        events = read_events(self.run_folder(run_id).events)
        return [event.message for event in events if event.stage == "tracker"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("tracking"), "-e", f"{ROOT}[mlflow,demo]")


@pytest.fixture
def place(python: Path, tmp_path: Path) -> Place:
    made = Place(python, tmp_path, free_port())
    make_task(made.task)
    return made


@pytest.fixture
def served(place: Place) -> Iterator[Place]:
    with serving(place.python, place.folder, place.port):
        yield place


class Server:
    """What a server has, by its REST interface."""

    def __init__(self, place: Place) -> None:
        self._base = f"{place.address}/api/2.0/mlflow"

    def _get(self, path: str, /, **asked: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self._base}/{path}", params=asked, timeout=60).json()
        return answer

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs of our experiment, those that are nested too, with dictionaries of their data."""
        found = self._get("experiments/get-by-name", experiment_name="mlestar")
        if "experiment" not in found:  # nothing has been sent yet
            return []
        asked = {"experiment_ids": [found["experiment"]["experiment_id"]], "max_results": 1000}
        answer = httpx.post(f"{self._base}/runs/search", json=asked, timeout=60)
        runs: list[dict[str, Any]] = answer.json().get("runs", [])
        for run in runs:
            for kind in ("params", "metrics", "tags"):
                run[kind] = {item["key"]: item["value"] for item in run["data"].get(kind, [])}
        return runs

    def parents(self) -> list[dict[str, Any]]:
        return [run for run in self.runs() if "mlflow.parentRunId" not in run["tags"]]

    def children(self, parent: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the nested runs of a run by the ids of their solutions, each of which there is once."""
        found = [run for run in self.runs() if run["tags"].get("mlflow.parentRunId") == parent["info"]["run_id"]]
        by_name = {run["tags"]["mlestar.solution"]: run for run in found}
        assert len(by_name) == len(found)
        return by_name

    def files(self, run: dict[str, Any], folder: str = "") -> set[str]:
        listed = self._get("artifacts/list", run_id=run["info"]["run_id"], path=folder)
        return {file["path"] for file in listed.get("files", [])}

    def steps(self, run: dict[str, Any], metric: str) -> list[int]:
        history = self._get("metrics/get-history", run_id=run["info"]["run_id"], metric_key=metric)
        return [int(point.get("step", 0)) for point in history.get("metrics", [])]


def start(place: Place, run_id: str) -> subprocess.Popen[bytes]:
    """Start a run."""
    command, silent = place.command(*place.run_command(run_id)), subprocess.DEVNULL
    return subprocess.Popen(command, cwd=place.folder, stdout=silent, stderr=silent, env=environment())


def wait_for(process: subprocess.Popen[bytes] | None, is_true: Callable[[], bool]) -> None:
    """Wait until something is true, while a process works."""
    end = time.monotonic() + 600
    while not is_true():
        assert time.monotonic() < end
        assert process is None or process.poll() is None
        time.sleep(0.1)


def check_child(child: dict[str, Any], row: SolutionRow) -> None:
    """Compare a nested run with the row of its solution."""
    metrics, params = child["metrics"], child["params"]
    assert child["info"]["status"] == "FINISHED"
    assert (params["origin"], child["tags"]["mlestar.status"]) == (row.origin, row.status)
    assert params.get("parent") == row.parent
    assert metrics["seconds"] == pytest.approx(row.seconds)
    assert metrics["score"] == pytest.approx(row.score.holdout, abs=row.score.holdout_se or 0.005)
    assert len(str(metrics["standard_error"])) <= len("0.0123")  # as it is shown
    assert ("gain" in metrics) == (row.gain is not None)
    assert ("gain_se" in metrics) == (row.gain_se is not None)


def test_a_run_has_nested_runs_parameters_metrics_files_and_its_model(served: Place) -> None:
    printed = served.call(*served.run_command("a"))
    folder, server = served.run_folder("a"), Server(served)
    result = Result.read(folder.result)
    [parent] = server.parents()
    assert f"{served.address}/#/experiments/" in printed, printed
    assert json.loads((folder.path / "trackers.json").read_bytes())["mlflow"][served.address]["run"] in printed
    assert (parent["info"]["run_name"], parent["info"]["status"]) == ("a", "FINISHED")
    expected = {"task": "signs", "metric": "accuracy", "settings.model": "offline", "settings.outer_steps": "0"}
    assert expected.items() <= parent["params"].items()
    assert parent["tags"]["mlestar.winner"] == result.winner
    assert parent["metrics"]["fresh"] == pytest.approx(result.score.fresh, abs=0.005)
    assert max(server.steps(parent, "best_score")) == result.spend.executions
    assert server.files(parent) == {"report.html", "result.json", "solution.py", "submission.csv"}
    children = server.children(parent)
    assert children.keys() == {row.id for row in result.solutions}
    for row in result.solutions:
        check_child(children[row.id], row)
        assert server.files(children[row.id]) == {"script.py"}

    points = server.steps(parent, "best_score"), server.steps(parent, "fresh")
    served.call("package", "a", "--runner", "local")
    printed = served.call("track", "a")
    assert "sent to MLflow" in printed, printed
    assert {"model/MLmodel", "model/predictor"} <= server.files(parent, "model")
    assert server.children(parent).keys() == children.keys()
    assert (server.steps(parent, "best_score"), server.steps(parent, "fresh")) == points


def test_a_run_that_was_killed_is_continued_and_a_fork_is_a_run_of_its_own(served: Place) -> None:
    process = start(served, "b")
    wait_for(process, (served.run_folder("b").path / "trackers.json").exists)
    wait_for(process, lambda: any(event.verdict for event in read_events(served.run_folder("b").events)))
    process.kill()
    process.wait()
    assert not served.run_folder("b").result.exists()
    server = Server(served)
    wait_for(None, lambda: [run["info"]["status"] for run in server.parents()] == ["KILLED"])
    [first] = server.parents()
    before = server.children(first)
    served.call("resume", "b")
    [parent] = server.parents()
    after = server.children(parent)
    assert parent["info"]["run_id"] == first["info"]["run_id"]
    assert (first["tags"]["mlestar.status"], parent["tags"]["mlestar.status"]) == ("killed", "solved")
    assert parent["info"]["status"] == "FINISHED"
    assert before
    assert {name: run["info"]["run_id"] for name, run in before.items()}.items() <= {
        name: run["info"]["run_id"] for name, run in after.items()
    }.items()
    assert after.keys() == {row.id for row in Result.read(served.run_folder("b").result).solutions}
    assert len(server.steps(parent, "tokens")) == len(set(server.steps(parent, "tokens")))
    served.call("fork", "b", "--at", "settings", "--set", "finalists=1", "--run-id", "c")
    fork = next(run for run in server.parents() if run["tags"]["mlestar.run"] == "c")
    assert fork["tags"]["mlestar.forked_from"] == "b"
    assert server.children(fork).keys() == {row.id for row in Result.read(served.run_folder("c").result).solutions}


def test_a_server_that_dies_stops_nothing_and_gets_the_rest_later(place: Place) -> None:
    with serving(place.python, place.folder, place.port):
        process = start(place, "d")
        wait_for(process, (place.run_folder("d").path / "trackers.json").exists)
        assert not place.run_folder("d").result.exists()
    assert process.wait(900) == 0
    warning, rest = place.notes("d")
    assert warning.startswith(f"MLflow at {place.address} does not take the run (")
    assert rest.startswith("not all was sent to mlflow: `mlestar track d`")
    with serving(place.python, place.folder, place.port):
        printed = place.call("track", "d")
        server = Server(place)
        [parent] = server.parents()
        result = Result.read(place.run_folder("d").result)
        assert "sent to MLflow" in printed, printed
        assert parent["info"]["status"] == "FINISHED"
        assert server.children(parent).keys() == {row.id for row in result.solutions}
        assert max(server.steps(parent, "best_score")) == result.spend.executions
