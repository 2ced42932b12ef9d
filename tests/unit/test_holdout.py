"""Holdouts withhold whole units, are disjoint, and keep what train needs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import SplitPlan, fresh_holdouts, infer_split, search_holdout
from tests.unit.holdout_folders import divide, make_rows, make_task, random_task


def grouped_task(folder: Path) -> Task:
    frame = make_rows(600)
    groups = np.random.default_rng(3).integers(0, 80, 600)
    frame.insert(1, "patient", [f"P{group}" for group in groups])
    return make_task(folder, *divide(frame, groups % 3 == 0))


def dated_task(folder: Path, test_share: float) -> Task:
    frame = make_rows(800)
    frame.insert(1, "when", pd.date_range("2020-01-01", periods=800).strftime("%Y-%m-%d"))
    return make_task(folder, *divide(frame, np.arange(800) >= 800 * (1 - test_share)))


def test_every_row_is_on_exactly_one_side(tmp_path: Path) -> None:
    task = random_task(tmp_path)
    holdout = search_holdout(task, infer_split(task), seed=1)
    assert sorted([*holdout.train, *holdout.withheld]) == list(range(task.spec.train_rows))


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    task = random_task(tmp_path)
    plan = infer_split(task)
    first, again, other = (search_holdout(task, plan, seed=seed).withheld.tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_stratified_rows_keep_the_class_shares(tmp_path: Path) -> None:
    task = random_task(tmp_path, count=1000)
    holdout = search_holdout(task, infer_split(task), seed=1)
    labels = task.table("train.csv").frame["label"] == "yes"
    assert abs(labels.iloc[holdout.withheld].mean() - labels.mean()) < 0.01


def test_a_class_with_one_row_stays_in_train(tmp_path: Path) -> None:
    frame = make_rows(300)
    frame.loc[7, "label"] = "maybe"
    task = make_task(tmp_path, *divide(frame, np.arange(300) % 3 == 0))
    plan = infer_split(task).model_copy(update={"kind": "random"})
    labels = task.table("train.csv").frame["label"]
    assert all("maybe" in set(labels.iloc[search_holdout(task, plan, seed=seed).train]) for seed in range(20))


def test_a_group_with_two_rare_classes_stays_in_train(tmp_path: Path) -> None:
    frame = make_rows(600)
    groups = np.random.default_rng(3).integers(0, 80, 600)
    frame.insert(1, "patient", [f"P{group}" for group in groups])
    rare = np.flatnonzero(groups == 1)[:2]
    frame.loc[rare, "label"] = ["maybe", "never"]
    task = make_task(tmp_path, *divide(frame, groups % 3 == 0))
    plan, labels = infer_split(task), task.table("train.csv").frame["label"]
    train_rows = [search_holdout(task, plan, seed=seed).train for seed in range(20)]
    assert all({"maybe", "never"} <= set(labels.iloc[rows]) for rows in train_rows)


def test_groups_are_not_divided(tmp_path: Path) -> None:
    task = grouped_task(tmp_path)
    holdout = search_holdout(task, infer_split(task), seed=1)
    patients = task.table("train.csv").frame["patient"]
    assert not set(patients.iloc[holdout.train]) & set(patients.iloc[holdout.withheld])
    assert len(np.unique(holdout.units)) == patients.iloc[holdout.withheld].nunique()


def test_duplicates_stay_on_one_side(tmp_path: Path) -> None:
    rows = make_rows(300)
    frame = pd.concat([rows, rows]).assign(id=np.arange(600))
    task = make_task(tmp_path, *divide(frame, np.tile(np.arange(300) % 3 == 0, 2)))
    holdout = search_holdout(task, infer_split(task), seed=1)
    sizes = task.table("train.csv").frame[["size", "colour", "rank"]].agg("|".join, axis=1)
    assert not set(sizes.iloc[holdout.train]) & set(sizes.iloc[holdout.withheld])


def test_a_time_split_withholds_the_length_of_the_test_period(tmp_path: Path) -> None:
    task = dated_task(tmp_path, 0.25)
    holdout = search_holdout(task, infer_split(task), seed=1)
    assert holdout.withheld.tolist() == list(range(400, 600))
    assert holdout.train.max() == 399


def test_a_long_horizon_is_shortened_and_the_plan_notes_it(tmp_path: Path) -> None:
    task = dated_task(tmp_path, 0.6)
    plan = infer_split(task)
    holdout = search_holdout(task, plan, seed=1)
    assert len(holdout.train) == len(holdout.withheld)
    assert "shortened" in plan.evidence[-1]


def test_the_distance_between_train_and_test_is_kept(tmp_path: Path) -> None:
    frame = make_rows(700)
    days = pd.date_range("2020-01-01", periods=730)
    frame.insert(1, "when", days.delete(range(600, 630)).strftime("%Y-%m-%d"))
    task = make_task(tmp_path, *divide(frame, np.arange(700) >= 600))
    holdout = search_holdout(task, infer_split(task), seed=1)
    assert holdout.withheld.min() - holdout.train.max() == 31


def test_the_history_is_as_long_as_the_withheld_period(tmp_path: Path) -> None:
    days = np.sort(np.concatenate([np.arange(700) // 7, 100 + np.arange(100) * 3, 400 + np.arange(200) * 2]))
    frame = make_rows(1000).assign(label=np.resize(["no", "yes"], 1000))
    frame.insert(1, "when", (pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d"))
    task = make_task(tmp_path, *divide(frame, days >= 400))
    holdout = search_holdout(task, infer_split(task), seed=1)
    assert days[holdout.withheld].min() >= days[holdout.withheld].max() - days[holdout.withheld].min()


def test_weeks_are_the_units_of_a_time_split(tmp_path: Path) -> None:
    task = dated_task(tmp_path, 0.25)
    units = search_holdout(task, infer_split(task), seed=1).units
    assert 28 <= len(np.unique(units)) <= 30


def test_fresh_rows_are_disjoint_from_search_and_each_other(tmp_path: Path) -> None:
    task = random_task(tmp_path, count=1000)
    plan = infer_split(task)
    holdouts = [search_holdout(task, plan, seed=1), *fresh_holdouts(task, plan, seed=1, count=2)]
    withheld = np.concatenate([holdout.withheld for holdout in holdouts])
    assert len(holdouts) == 3
    assert len(np.unique(withheld)) == len(withheld)


def test_fresh_groups_are_other_groups(tmp_path: Path) -> None:
    task = grouped_task(tmp_path)
    plan = infer_split(task)
    holdouts = [search_holdout(task, plan, seed=1), *fresh_holdouts(task, plan, seed=1, count=2)]
    patients = task.table("train.csv").frame["patient"]
    groups = [group for holdout in holdouts for group in patients.iloc[holdout.withheld].unique()]
    assert len(set(groups)) == len(groups)


def test_fresh_periods_are_earlier_and_have_their_own_history(tmp_path: Path) -> None:
    task = dated_task(tmp_path, 0.25)
    plan = infer_split(task)
    search, *fresh = [search_holdout(task, plan, seed=1), *fresh_holdouts(task, plan, seed=1, count=2)]
    assert [holdout.withheld.max() + 1 for holdout in fresh] == [search.withheld.min(), fresh[0].withheld.min()]
    assert all(holdout.train.max() < holdout.withheld.min() for holdout in fresh)


def test_fresh_holdouts_end_when_rows_run_out(tmp_path: Path) -> None:
    task = random_task(tmp_path)
    assert len(fresh_holdouts(task, infer_split(task), seed=1, count=50)) < 4


def test_a_million_rows_have_fresh_holdouts(tmp_path: Path) -> None:
    rows = pd.DataFrame({"id": np.arange(1_200_000), "a": np.tile(np.arange(1200), 1000)})
    rows["label"] = np.resize(["no", "yes", "no"], len(rows))
    small = make_task(tmp_path, *divide(rows.iloc[:300], np.arange(300) % 3 == 0))
    layout = replace(small.layout, train=replace(small.train, frame=rows.astype(str)))
    task = replace(small, layout=layout)
    fresh = fresh_holdouts(task, SplitPlan(kind="random", fraction=50_000 / len(rows)), seed=1, count=2)
    assert [len(holdout.withheld) for holdout in fresh] == [50_000, 50_000]


def test_rows_without_a_label_are_never_withheld(tmp_path: Path) -> None:
    frame = make_rows(400)
    frame.loc[::4, "label"] = ""
    task = make_task(tmp_path, *divide(frame, np.arange(400) % 3 == 0))
    plan = infer_split(task).model_copy(update={"kind": "random"})
    withheld = search_holdout(task, plan, seed=1).withheld
    assert set(task.table("train.csv").frame["label"].iloc[withheld]) == {"no", "yes"}
