"""Series that continue in test: what is withheld, how it is set, and what is not a series."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import fresh_holdouts, infer_split, search_holdout
from tests.unit.holdout_folders import make_task
from tests.unit.planted_splits import plan_of


def series_rows(count: int = 40, length: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 100, count)[:, None]
    times = starts + np.cumsum(rng.uniform(0.5, 1.5, (count, length)), axis=1)
    frame = pd.DataFrame({"id": rng.permutation(count * length), "subject": np.repeat(np.arange(count), length)})
    return frame.assign(test_time=times.reshape(-1).round(4), y=rng.normal(size=count * length).round(3))


def series_task(folder: Path, count: int = 40, **overrides: str) -> Task:
    frame = series_rows(count)
    in_test = np.tile(np.arange(20) >= 15, count)
    return make_task(folder, frame[~in_test], frame[in_test].drop(columns="y"), "mae", **overrides)


def test_the_last_rows_of_series_are_withheld(tmp_path: Path) -> None:
    task = series_task(tmp_path)
    plan = infer_split(task)
    train = task.train.rows.astype({"test_time": float})
    assert (plan.kind, plan.series, plan.column) == ("series", ("subject",), "test_time")
    for holdout in (search_holdout(task, plan, seed=0), *fresh_holdouts(task, plan, seed=0, count=2)):
        last = train.iloc[holdout.train].groupby("subject")["test_time"].max()
        withheld = train.iloc[holdout.withheld]
        assert (withheld.groupby("subject").size() == 5).all()
        assert (withheld["test_time"].to_numpy() > last.loc[withheld["subject"]].to_numpy()).all()


@pytest.mark.parametrize("name", ["days_since_enrolment", "dose_mg", "elapsed"])
def test_any_number_that_orders_the_rows_of_series_is_their_time(name: str, tmp_path: Path) -> None:
    frame = series_rows().rename(columns={"test_time": name})
    in_test = np.tile(np.arange(20) >= 15, 40)
    task = make_task(tmp_path, frame[~in_test], frame[in_test].drop(columns="y"), "mae")
    plan = infer_split(task)
    assert (plan.kind, plan.series, plan.column) == ("series", ("subject",), name)
    assert len(search_holdout(task, plan, seed=0).withheld)


def test_fresh_holdouts_have_other_series(tmp_path: Path) -> None:
    task = series_task(tmp_path)
    plan = infer_split(task)
    holdouts = [search_holdout(task, plan, seed=0), *fresh_holdouts(task, plan, seed=0, count=2)]
    subjects = [set(task.train.rows["subject"].iloc[holdout.withheld]) for holdout in holdouts]
    assert len(set.union(*subjects)) == sum(map(len, subjects)) == 40


def test_few_series_get_fresh_holdouts_at_earlier_times(tmp_path: Path) -> None:
    task = series_task(tmp_path, count=12)
    plan = infer_split(task)
    search, fresh = search_holdout(task, plan, seed=0), fresh_holdouts(task, plan, seed=0, count=1)[0]
    times = task.train.rows["test_time"].astype(float).to_numpy()
    for subject in range(12):
        rows = (task.train.rows["subject"] == str(subject)).to_numpy()
        ends = [times[np.intersect1d(part, np.flatnonzero(rows))] for part in (fresh.train, fresh.withheld)]
        assert ends[0].max() < ends[1].min()
    assert not set(search.withheld) & (set(fresh.withheld) | set(fresh.train))


def test_a_set_series_is_used(tmp_path: Path) -> None:
    task = series_task(tmp_path, split="series:subject:test_time")
    plan = infer_split(task)
    assert (plan.kind, plan.series, plan.column) == ("series", ("subject",), "test_time")
    assert "is set" in plan.evidence[0]


@pytest.mark.parametrize("split", ["series:subject:nothing", "series:nothing:test_time", "space:test_time+nothing"])
def test_a_set_split_with_an_unknown_column_is_rejected(tmp_path: Path, split: str) -> None:
    with pytest.raises(TaskError, match="no column 'nothing'"):
        series_task(tmp_path, split=split)


def test_rows_between_those_of_train_are_no_series() -> None:
    frame = series_rows()
    assert plan_of(frame, np.random.default_rng(1).random(len(frame)) < 0.25).kind == "random"


def test_series_that_train_lacks_are_withheld_whole(tmp_path: Path) -> None:
    frame = series_rows(60)
    in_test = np.tile(np.arange(20) >= 15, 60) | (frame["subject"] < 5).to_numpy()
    task = make_task(tmp_path, frame[~in_test], frame[in_test].drop(columns="y"), "mae")
    plan = infer_split(task)
    holdout = search_holdout(task, plan, seed=0)
    subjects = task.train.rows["subject"]
    whole = set(subjects.iloc[holdout.withheld]) - set(subjects.iloc[holdout.train])
    assert plan.new_share == pytest.approx(100 / 375)
    assert whole
