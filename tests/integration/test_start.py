"""Whole runs that start from a script with habits of other people, and one that is killed again and again."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mlestar
from tests.integration.test_kill import SCRIPT, KilledRun, make_provider, started_executions
from tests.unit.foreign_scripts import FOREIGN
from tests.unit.offline_context import mixed_rows, write_task
from tests.unit.scenario import script

KINDS = [pytest.param("docker", marks=pytest.mark.docker), "local"]
SETTINGS = {"model": "offline", "profile": "quick", "retrieved_models": 1, "inner_plans": 1, "finalists": 1}
KILLS = 6


def write_notebook(path: Path, code: str) -> Path:
    cells = ["%matplotlib inline\n!pip install seaborn", *code.split("\n\n"), "display(sub)"]
    sources = [{"cell_type": "code", "source": cell} for cell in cells]
    metadata = {"language_info": {"name": "python"}}
    path.write_text(json.dumps({"cells": sources, "metadata": metadata}), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("runner", KINDS)
def test_a_notebook_with_paths_of_kaggle_becomes_a_solution_and_is_compared(tmp_path: Path, runner: str) -> None:
    task = write_task(tmp_path / "task", mixed_rows(400), "label", "accuracy")
    start = write_notebook(tmp_path / "mine.ipynb", FOREIGN["pictures and progress"])
    options: dict[str, Any] = {"settings": {**SETTINGS, "runner": runner}, "runs_dir": tmp_path / "runs"}
    result = mlestar.solve(task, run_id="first", start=start, **options)
    assert result.status == "solved"
    assert result.start is not None
    assert (result.start.name, result.start.given_status, result.start.adapted) == ("mine.ipynb", "error", True)
    assert result.start.holdout is not None
    assert result.start.holdout > 0.6
    assert result.start.reported == pytest.approx(result.start.holdout, abs=0.25)
    assert result.start.warning == ""
    assert len(pd.read_csv(result.submission or "")) == 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_continues_from_an_earlier_one_whose_data_have_grown(tmp_path: Path) -> None:
    settings = {**SETTINGS, "runner": "local", "outer_steps": 0}
    options: dict[str, Any] = {"settings": settings, "runs_dir": tmp_path / "runs"}
    task = write_task(tmp_path / "task", mixed_rows(300), "label", "accuracy")
    first = mlestar.solve(task, run_id="first", **options)
    grown = write_task(tmp_path / "grown", mixed_rows(500), "label", "accuracy")
    again = mlestar.solve(grown, run_id="second", start=f"first:{first.winner}", **options)
    assert again.start is not None
    assert (again.start.given_status, again.start.adapted, again.start.warning) == ("ok", False, "")
    assert again.start.given_holdout == again.start.holdout
    assert len(pd.read_csv(again.submission or "")) == 125


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_repeats_no_execution_of_its_start(tmp_path: Path) -> None:
    start = tmp_path / "mine.py"
    start.write_text(script(0.99, "mine").replace("{track}", "0"), encoding="utf-8")
    settings = {"start": str(start), "tracks": 1, "retrieved_models": 1, "outer_steps": 0, "finalists": 1}
    with make_provider() as provider:
        run = KilledRun(tmp_path / "killed", provider, **settings)
        for number in range(KILLS):
            # Before the script ends: what has ended and is not yet recorded is executed again.
            run.session_to_script(60.0, after=SCRIPT * number / (2 * KILLS))
            if number == 0:
                start.unlink(missing_ok=True)
        assert run.session()
    finished = [line.split()[1] for line in run.log.read_text(encoding="utf-8").splitlines() if line.startswith("end")]
    assert len(finished) == len(set(finished))
    assert "t0.s0" in started_executions(run.log)
    result = run.result()
    assert (result["status"], result["winner"]) == ("solved", "t0.s1")
    assert result["start"]["solution"] == "t0.s1"
