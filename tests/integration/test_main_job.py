"""The main use of the package, as a user runs it: a process, a real runner, the offline engineer."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from mlestar.runners.supply import read_needs
from tests.integration.command import mlestar_command, run_mlestar

FINISHED = """
SELECT key, finished FROM entries
WHERE kind IN ('model_call', 'execution', 'export', 'retrieval') ORDER BY rowid
"""
FAST = ["--model", "offline", "--profile", "quick", "--json"]


def wine_task(folder: Path) -> Path:
    """Write a task of three classes, and its test labels beside it in a file with the suffix `.truth`."""
    frame = load_wine(as_frame=True).frame.rename(columns={"target": "cultivar"})
    frame.insert(0, "bottle", [f"b{number:03d}" for number in range(len(frame))])
    in_test = np.random.default_rng(1).permutation(len(frame)) % 4 == 0
    folder.mkdir()
    (folder / "task.md").write_text("Which cultivar?\n\n## Evaluation\nAccuracy.\n", encoding="utf-8")
    frame[~in_test].to_csv(folder / "train.csv", index=False)
    frame[in_test].drop(columns="cultivar").to_csv(folder / "test.csv", index=False)
    frame[in_test][["bottle"]].assign(cultivar=0).to_csv(folder / "sample_submission.csv", index=False)
    frame[in_test][["bottle", "cultivar"]].to_csv(folder.with_suffix(".truth"), index=False)
    return folder


def grade(folder: Path, submission: str) -> float:
    """Return the share of right rows of a submission."""
    truth, predicted = pd.read_csv(folder.with_suffix(".truth")), pd.read_csv(submission)
    return float((truth.set_index("bottle") == predicted.set_index("bottle").loc[truth["bottle"]]).mean().iloc[0])


@pytest.mark.parametrize("runner", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_folder_becomes_a_graded_solution(tmp_path: Path, runner: str) -> None:
    task = wine_task(tmp_path / "wine")
    done = run_mlestar("run", task, *FAST, "--runner", runner, "--runs-dir", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["status"], result["runner"], result["metric"]) == ("solved", runner, "accuracy")
    assert result["score"]["fresh"] is not None
    assert grade(task, result["submission"]) > 0.85
    for name in ("solution", "submission", "report"):
        assert Path(result[name]).is_file()
    folder = Path(result["folder"])
    assert not (folder / "work").exists()
    winner = next(row for row in result["solutions"] if row["id"] == result["winner"])
    script, solution = (
        path.read_text(encoding="utf-8") for path in (folder / winner["script"], folder / "solution.py")
    )
    assert solution.endswith(script.lstrip("\n"))
    assert "pandas==" in " ".join(read_needs(solution).dependencies)


def test_a_killed_run_is_resumed_and_repeats_nothing(tmp_path: Path) -> None:
    task = wine_task(tmp_path / "wine")
    options = ["--runs-dir", tmp_path / "runs", "--run-id", "killed"]
    command = mlestar_command("run", task, *FAST, "--runner", "local", *options)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for line in process.stderr or []:
            if "t0.m1" in line:
                break
        os.kill(process.pid, signal.SIGKILL)
    before = finished_work(tmp_path / "runs/killed")
    time.sleep(0.2)
    done = run_mlestar("resume", "killed", "--runs-dir", tmp_path / "runs", "--json")
    assert done.returncode == 0, done.stderr
    after = finished_work(tmp_path / "runs/killed")
    assert before
    assert after[: len(before)] == before
    assert len({key for key, _ in after}) == len(after)


def finished_work(run: Path) -> list[tuple[str, str]]:
    """Return key and time of every finished model call and execution, in order."""
    with sqlite3.connect(run / "ledger.sqlite") as connection:
        rows = connection.execute(FINISHED).fetchall()
    connection.close()
    return rows
