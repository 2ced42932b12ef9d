"""The exported script, executed by uv in an empty folder with only the data, gives the same submission."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.examples import write_example
from tests.integration.command import run_mlestar

MOST = 1e-6
"""Largest difference between two predictions."""


@pytest.mark.docker
@pytest.mark.timeout(1800)
def test_uv_runs_the_exported_script_in_an_empty_folder(tmp_path: Path) -> None:
    task = write_example("diabetes", tmp_path / "task")
    where = ("--runs-dir", tmp_path / "runs", "--run-id", "r")
    run = run_mlestar("run", task, "--model", "offline", "--profile", "quick", "--runner", "docker", *where)
    assert run.returncode == 0, run.stderr[-3000:]
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copytree(task / "input", folder / "input")
    shutil.copyfile(tmp_path / "runs/r/solution.py", folder / "solution.py")
    uv = Path(sysconfig.get_path("scripts"), "uv")
    done = subprocess.run([uv, "run", "solution.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = pd.read_csv(tmp_path / "runs/r/submission.csv"), pd.read_csv(folder / "submission.csv")
    assert list(first.columns) == list(second.columns)
    for column in first.columns:
        if pd.api.types.is_numeric_dtype(first[column]):
            assert np.abs(first[column] - second[column]).max() <= MOST
        else:
            assert (first[column] == second[column]).all()
