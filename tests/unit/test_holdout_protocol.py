"""The code that scripts are given names the same rows as the split does."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import fresh_holdouts, infer_split, search_holdout
from mlestar.evaluation.holdout.calendar_columns import read_calendar
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.protocol import calendar_code, validation_code
from mlestar.evaluation.holdout.units import row_units
from tests.unit.golden_prompts import render
from tests.unit.offline_context import CARD, brief_of, mixed_rows, write_task
from tests.unit.planted_splits import PLANTS, plan_of


def run_code(code: str, name: str, *values: object, **names: object) -> Any:
    scope: dict[str, Any] = {"np": np, "pd": pd, **names}
    exec(code, scope)
    return scope[name](*values)


def same_groups(first: np.ndarray, second: np.ndarray) -> bool:
    return pd.factorize(first)[0].tolist() == pd.factorize(second)[0].tolist()


@pytest.mark.parametrize("kind", ["space", "near copies", "composite group"])
def test_scripts_keep_the_same_rows_together(kind: str) -> None:
    plant = PLANTS[kind](1)
    plan, cells = plan_of(plant.frame, plant.in_test), plant.frame.astype(str)
    scripted = run_code(validation_code(plan), "fold_groups", plant.frame)
    assert same_groups(scripted, row_units(plan, cells, []))
    assert len(np.unique(scripted)) > 5


def series_task(folder: Path) -> Task:
    plant = PLANTS["series"](2)
    frame = plant.frame.assign(id=np.arange(len(plant.frame)))
    train, test = frame[~plant.in_test], frame[plant.in_test].drop(columns="y")
    # New series are withheld at random, so the comparison leaves them out.
    test = test[test["engine"].isin(train["engine"])]
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(y=0.5).to_csv(folder / "sample_submission.csv", index=False)
    return Task.load(folder, metric="mae")


def test_scripts_hold_out_the_same_rows_of_series(tmp_path: Path) -> None:
    task = series_task(tmp_path)
    plan = infer_split(task)
    train, test = pd.read_csv(tmp_path / "train.csv"), pd.read_csv(tmp_path / "test.csv")
    times = {"read_times": lambda rows: pd.to_numeric(rows[plan.column]).to_numpy()}
    held = run_code(validation_code(plan), "held_rows", train, test, **times)
    assert plan.kind == "series"
    holdouts = [search_holdout(task, plan, seed=0), *fresh_holdouts(task, plan, seed=0, count=2)]
    withheld = np.sort(np.concatenate([holdout.withheld for holdout in holdouts]))
    assert np.flatnonzero(held).tolist() == withheld.tolist()
    assert len(holdouts) == 3


def test_scripts_read_times_in_the_same_order() -> None:
    rows = pd.DataFrame({"year": ["2019", "2020", "2019"], "month": ["12", "1", "2"], "day": ["31", "1", "28"]})
    plan = SplitPlan(kind="time", column="year", columns=("year", "month", "day"), fraction=0.2)
    clock = read_calendar(rows, plan.columns)
    assert clock is not None
    assert np.argsort(run_code(calendar_code(plan), "read_times", rows)).tolist() == np.argsort(clock.values).tolist()


def test_prompts_have_the_code_of_a_split(tmp_path: Path) -> None:
    brief = brief_of(write_task(tmp_path, mixed_rows(), "label", "accuracy"))
    split = SplitPlan(kind="space", column="x", columns=("x", "y"), widths=(0.5, 2.0), fraction=0.2)
    prompt = render("initializer", brief=brief.model_copy(update={"split": split}), card=CARD)
    assert "blocks = np.floor(places / [0.5, 2.0]).astype(str)" in prompt


def test_names_that_could_end_a_fence_get_no_code() -> None:
    assert not validation_code(SplitPlan(kind="group", column="a", columns=("a", "```b"), fraction=0.2))
