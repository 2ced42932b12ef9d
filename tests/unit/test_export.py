"""Exporting a packaged predictor as a folder that stands alone."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.report import Result
from tests.unit.packaged import SIGNS, write_predictor
from tests.unit.scenario import Scenario, make_task, solve


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a run with a packaged predictor; tests leave both as they are."""
    folder = tmp_path_factory.mktemp("export")
    task = make_task(folder / "signs")
    (task / "notes.csv").write_text("word,meaning\na,b\n", encoding="utf-8")
    result = asyncio.run(solve(folder, Scenario(), task=task))
    write_predictor(result, SIGNS, {"model.json": b'{"threshold": 0.0}'}, data={"notes.csv": b"word,meaning\na,b\n"})
    return result


@pytest.fixture(scope="module")
def exported(solved: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the exported folder; tests leave it as it is."""
    return export_run(solved.folder, tmp_path_factory.mktemp("exports") / "signs")


def task_of(result: Result) -> Path:
    return Path(result.folder).parents[1] / "signs"


ALONE = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mlestar":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import pandas as pd
import mlestar_model.pyfunc, mlestar_model.service
from mlestar_model import load
with load(sys.argv[1], execution="process") as model:
    rows = pd.read_csv(sys.argv[2])
    print(model.predict(rows).to_csv(index=False))
"""


def test_the_folder_predicts_without_this_package(exported: Path, solved: Result) -> None:
    test = task_of(solved) / "test.csv"
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, exported, test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(test)
    expected = ["label", *("yes" if x > 0 else "no" for x in rows["x"])]
    assert done.stdout.split() == expected
