"""The start script of the agent for MLE-bench's harness, in folders like those of its container."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlestar.bench.mlebench import find_competitions
from tests.unit.paths import ROOT
from tests.unit.prepared_competition import prepare

AGENT = ROOT / "benchmarks" / "mlebench"
FOLDERS = ("SUBMISSION_DIR", "LOGS_DIR", "CODE_DIR", "AGENT_DIR")


@pytest.mark.slow
def test_the_start_script_leaves_what_the_harness_collects(tmp_path: Path) -> None:
    (task,) = find_competitions(prepare(tmp_path / "suite")).tasks
    places = {name: tmp_path / name for name in FOLDERS}
    for place in places.values():
        place.mkdir()
    variables = {
        **{name: str(place) for name, place in places.items()},
        "COMPETITION_ID": task.id,
        "DATA_DIR": str(task.folder),
        "AGENT_PYTHON": sys.executable,
        "TIME_LIMIT_SECS": "600",
    }
    done = subprocess.run(
        ["bash", AGENT / "start.sh", "--model", "offline", "--profile", "quick"],
        env={**os.environ, **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    submission = places["SUBMISSION_DIR"] / "submission.csv"
    assert list(pd.read_csv(submission).columns) == ["id", "price"]
    assert task.answers.grade(submission).score is not None
    assert json.loads((places["LOGS_DIR"] / "result.json").read_text())["score"]["holdout"] is not None
    assert (places["LOGS_DIR"] / "agent.log").stat().st_size > 0
    assert (places["LOGS_DIR"] / "report.html").is_file()
    compile((places["CODE_DIR"] / "train.py").read_text(), "train.py", "exec")


def test_every_agent_uses_options_of_the_command() -> None:
    agents = yaml.safe_load((AGENT / "config.yaml").read_text())
    command = [sys.executable, "-m", "mlestar", "run", "--help"]
    usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name, agent in agents.items():
        if name in ("vars", "defaults"):
            continue
        assert agent["kwargs_type"] == "argparse"
        assert all(f"--{option} " in usage for option in agent["kwargs"])
        assert {agent["start"], agent["dockerfile"]} == {"mlestar/start.sh", "mlestar/Dockerfile"}
        assert int(agent["env_vars"]["TIME_LIMIT_SECS"]) > 0
