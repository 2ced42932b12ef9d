"""Grading in a run is bounded: what is submitted, how long a metric takes, and which numbers are recorded."""

import json
import math
import time
from pathlib import Path

import pytest

from mlestar.errors import SettingsError, UserError
from mlestar.events import Event
from mlestar.report.result import Result, Score
from mlestar.runners import Execution, Job
from mlestar.settings import Settings
from mlestar.state import Rescoring, Variant, Verdict
from mlestar.store import Ledger, RunFolder
from tests.unit.scenario import Scenario, count_rows, fence, make_task, solve, study, success

SLOW = """import time


def share(truth, predicted):
    time.sleep(0.02)
    return float((truth == predicted).mean())
"""


class Huge(Scenario):
    """Every script submits 600 MB."""

    def run(self, job: Job) -> Execution:
        self.ran.append(job.name)
        with (job.collect / "submission.csv").open("wb") as file:
            file.truncate(600 * 2**20)
        return success(("submission.csv",), "Final Validation Performance: 0.9\n")


def task_with(folder: Path, code: str) -> Path:
    """Return a task folder whose metric file has this code."""
    task = count_rows(make_task(folder / "task"))
    (task / "metric.py").write_text(code, encoding="utf-8")
    return task


async def test_a_submission_beyond_its_size_is_invalid_and_not_stored(tmp_path: Path) -> None:
    result = await solve(tmp_path, Huge(), debug_rounds=0)
    problems = {row.message for row in result.solutions if row.status == "invalid"}
    assert len(problems) == 1
    assert "629,145,600 bytes, more than the 1,048,576 that" in problems.pop()
    blobs = RunFolder(tmp_path / "runs", "run").blobs
    assert sum(path.stat().st_size for path in blobs.rglob("*") if path.is_file()) < 5 * 2**20


async def test_a_metric_that_never_returns_makes_solutions_invalid(tmp_path: Path) -> None:
    code = "import time\n\n\ndef share(truth, predicted):\n    time.sleep(600)\n"
    task, start = task_with(tmp_path, code), time.monotonic()
    result = await solve(tmp_path, Scenario(), task=task, debug_rounds=0, grading_seconds=1)
    assert result.status == "no_solution"
    assert {row.message for row in result.solutions if row.status == "invalid"} == {
        "the submission could not be graded: it took more than 1 s"
    }
    assert time.monotonic() - start < 120


async def test_a_metric_file_that_cannot_be_imported_stops_the_run_with_one_line(tmp_path: Path) -> None:
    code = "1 / 0\n\n\ndef share(truth, predicted):\n    return 1.0\n"
    with pytest.raises(UserError, match=r"^metric file 'metric.py' cannot be imported: ZeroDivisionError"):
        await solve(tmp_path, Scenario(), task=task_with(tmp_path, code))


async def test_a_run_that_trusts_its_metric_executes_it_itself(tmp_path: Path) -> None:
    code = f"with open({str(tmp_path / 'executed')!r}, 'w') as file:\n    file.write('here')\n\n\n"
    code += "def share(truth, predicted):\n    return float((truth == predicted).mean())\n"
    result = await solve(tmp_path, Scenario(), task=task_with(tmp_path, code), trust=True)
    assert result.status == "solved"
    assert (tmp_path / "executed").read_text(encoding="utf-8") == "here"


async def test_all_variants_of_a_study_are_graded_under_one_limit(tmp_path: Path) -> None:
    variants = [(f"v{number}", 0.5) for number in range(300)]
    scenario = Scenario(ablator=fence(study(0.8, *variants)))
    result = await solve(tmp_path, scenario, task=task_with(tmp_path, SLOW), grading_seconds=8, retrieved_models=1)
    assert result.status == "solved"
    # One takes 41 scores of 0.02 s each.
    assert '"score": null' in scenario.prompts["summarizer"][0]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_records_of_earlier_versions_with_such_a_number_can_be_read(number: float) -> None:
    assert Verdict(status="ok", holdout=0.5, holdout_se=number).holdout_se is None
    assert Score(holdout=number, fresh=0.5).holdout is None
    assert Rescoring(solution="a", fresh=number, scores=(number, 0.5)).scores == (0.5,)
    assert Variant(name="a", score=number, claimed=number).claimed is None
    assert Event(stage="a", message="b", score=number).score is None


def test_a_result_with_scores_that_overflow_can_be_written(tmp_path: Path) -> None:
    score = Score(holdout=1e308, fresh=-1e308, holdout_se=math.inf)
    result = Result(run_id="run", task="task", status="solved", score=score, folder=str(tmp_path))
    folder = RunFolder(tmp_path, "run")
    folder.create()
    folder.write_json(folder.result, result.model_dump(mode="json"))
    written = json.loads(folder.result.read_text(encoding="utf-8"))
    assert (written["optimism"], written["score"]["holdout_se"]) == (None, None)
    assert Result.read(folder.result) == result


def test_the_ledger_holds_no_number_that_json_has_not(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.note("solution", "key", {"scores": [math.nan, 1.0], "error": math.inf})
    assert ledger.notes("solution") == [{"scores": [None, 1.0], "error": None}]
    ledger.close()


def test_settings_are_finite() -> None:
    with pytest.raises(SettingsError, match=r"script_seconds.*finite"):
        Settings.resolve({"script_seconds": math.inf})
