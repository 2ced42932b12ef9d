"""Side files: labels of withheld rows cannot be read from what is staged, and features stay as they are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Holdout, search_holdout, stage
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.revealing import decide
from tests.unit.revealing_folders import LEAKS, LEGITIMATE, load_task, make_frame, write_sides, write_task

SEEDS = (0, 1)
PLAN = SplitPlan(kind="random", fraction=0.3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def stage_sides(task: Task, folder: Path) -> Holdout:
    holdout = search_holdout(task, PLAN, seed=1)
    stage(task, holdout, folder)
    return holdout


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LEAKS)
def test_a_script_cannot_read_withheld_labels(data: Path, tmp_path: Path, name: str, seed: int) -> None:
    kind, side = LEAKS[name]
    train, test = write_task(data, make_frame(seed, kind=kind), seed)
    (file, *_) = write_sides(data, side, train, test, seed)
    task = load_task(data, kind=kind)
    holdout = stage_sides(task, tmp_path / "input")
    staged = tmp_path / "input" / file
    if "cities" in name:
        assert not staged.exists() or "x" not in pd.read_csv(staged).columns
        return
    assert staged.is_file(), "the records of other rows stay"
    whole = len(pd.read_csv(data / file))
    assert whole * 0.5 < len(pd.read_csv(staged)) < whole
    assert attack(tmp_path / "input", task, holdout, file) == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LEGITIMATE)
def test_features_are_staged_as_they_are(data: Path, tmp_path: Path, name: str, seed: int) -> None:
    kind, side = LEGITIMATE[name]
    train, test = write_task(data, make_frame(seed, kind=kind), seed)
    files = write_sides(data, side, train, test, seed)
    stage_sides(load_task(data, kind=kind), tmp_path / "input")
    for file in files:
        assert (tmp_path / "input" / file).read_bytes() == (data / file).read_bytes()


def attack(staged: Path, task: Task, holdout: Holdout, file: str) -> float:
    """Return the share of the withheld rows that a script can look up in a side file, by any column of the test file.

    Keys are compared by their last number, and the row number in the original train is tried too.
    """
    side = pd.read_csv(staged / file, dtype=str)
    rows = task.train.rows.iloc[holdout.withheld]
    keys = [rows[column] for column in rows.columns if rows[column].nunique() > 0.9 * len(rows)]
    keys.append(pd.Series([str(row + 1) for row in holdout.withheld]))
    shares = []
    for key in keys:
        withheld = set(_last_numbers(key))
        for column in side.columns:
            distinct = set(_last_numbers(side[column]))
            shares.append(len(withheld & distinct) / len(withheld) if len(distinct) > 100 else 0.0)
    return max(shares, default=0.0)


def _last_numbers(cells: "pd.Series[str]") -> list[str]:
    return cells.str.extract(r"([\d.]*\d)\D*$")[0].str.lstrip("0").dropna().tolist()
