"""Rows that are kept apart for the fresh score: no input of the search has them, and nothing that agents read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import (
    Division,
    Grader,
    SplitPlan,
    divide_rows,
    fresh_holdouts,
    infer_split,
    keep_apart,
    search_holdout,
    stage,
)
from tests.unit.holdout_folders import divide, make_rows, make_task, random_task
from tests.unit.marked_tasks import LAYOUTS, SPLITS, Marked, make_tables

SHARE = 0.5
"""Of 400 rows: enough to be kept apart."""


def everything_in(folder: Path) -> bytes:
    """Return the names and contents of all files."""
    parts: list[bytes] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts += [str(path.relative_to(folder)).encode(), path.read_bytes()]
    return b"\n".join(parts)


def check_unseen(marked: Marked, division: Division, folder: Path) -> None:
    """Check that the input of the search has its own rows, and nothing of those that are kept apart."""
    assert division.apart is not None
    stage(marked.task, division.search, folder)
    content = everything_in(folder)
    for row in division.search.train:
        assert all(text in content for text in marked.marks[row])
    for row in division.search.withheld:
        assert marked.marks[row][0] in content
    for row in division.apart.withheld:
        assert not any(text in content for text in marked.marks[row])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_input_of_the_search_has_a_row_that_is_kept_apart(layout: str, tmp_path: Path) -> None:
    marked = LAYOUTS[layout](tmp_path / "task")
    division = divide_rows(marked.task, infer_split(marked.task), seed=0, fresh_share=SHARE)
    check_unseen(marked, division, tmp_path / "input")


@pytest.mark.parametrize("split", SPLITS)
def test_no_split_puts_a_row_that_is_kept_apart_into_the_search(split: str, tmp_path: Path) -> None:
    marked = make_tables(tmp_path / "task", split)
    plan = infer_split(marked.task)
    assert plan.kind == split.partition(":")[0]
    check_unseen(marked, divide_rows(marked.task, plan, seed=0, fresh_share=SHARE), tmp_path / "input")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_rows_that_are_kept_apart_are_the_test_of_their_own_input(layout: str, tmp_path: Path) -> None:
    marked = LAYOUTS[layout](tmp_path / "task")
    apart = divide_rows(marked.task, infer_split(marked.task), seed=0, fresh_share=SHARE).apart
    assert apart is not None
    assert sorted([*apart.train, *apart.withheld]) == list(range(len(marked.marks)))
    stage(marked.task, apart, tmp_path / "input")
    content = everything_in(tmp_path / "input")
    assert all(text in content for row in apart.train for text in marked.marks[row])
    assert all(marked.marks[row][0] in content for row in apart.withheld)
    if len(marked.marks[0]) > 1:
        assert not any(marked.marks[row][1] in content for row in apart.withheld)
    assert len(Grader(marked.task, apart).truth) >= len(apart.withheld)


def test_copies_of_a_row_are_kept_apart_together(tmp_path: Path) -> None:
    rows = make_rows(700)
    frame = pd.concat([rows, rows]).assign(id=np.arange(1400))
    task = make_task(tmp_path, *divide(frame, np.tile(np.arange(700) % 5 == 0, 2)))
    plan = SplitPlan(kind="random", fraction=0.2, keep_duplicates=True)
    division = divide_rows(task, plan, seed=0, fresh_share=0.3)
    assert division.apart is not None
    values = task.train.rows[["size", "colour", "rank"]].agg("|".join, axis=1)
    sides = [division.search.train, division.search.withheld, division.apart.withheld]
    first, second, third = (set(values.iloc[rows]) for rows in sides)
    assert len(first | second | third) == len(first) + len(second) + len(third)


@pytest.mark.parametrize(("labelled", "apart"), [(1333, False), (1334, True)])
def test_small_tables_keep_no_rows_apart(labelled: int, apart: bool, tmp_path: Path) -> None:
    frame = make_rows(labelled + 300)
    task = make_task(tmp_path, *divide(frame, np.arange(len(frame)) >= labelled))
    plan = SplitPlan(kind="stratified", fraction=0.2)
    assert (divide_rows(task, plan, seed=0, fresh_share=0.15).apart is not None) is apart
    assert divide_rows(task, plan, seed=0, fresh_share=0.0).apart is None


def test_the_share_is_of_the_labelled_rows(tmp_path: Path) -> None:
    frame = make_rows(4000)
    frame.loc[::4, "label"] = ""
    task = make_task(tmp_path, *divide(frame, np.arange(4000) >= 3600))
    apart = keep_apart(task, SplitPlan(kind="random", fraction=0.2), seed=0, share=0.15)
    assert apart is not None
    assert len(apart.withheld) == pytest.approx(0.15 * 2700, abs=2)
    assert set(task.train.rows["label"].iloc[apart.withheld]) == {"no", "yes"}


def test_the_holdout_is_a_share_of_the_other_rows(tmp_path: Path) -> None:
    task = random_task(tmp_path, count=4000)
    plan = SplitPlan(kind="random", fraction=0.2)
    division = divide_rows(task, plan, seed=0, fresh_share=0.15)
    assert division.apart is not None
    others = task.spec.train_rows - len(division.apart.withheld)
    assert len(division.search.withheld) == pytest.approx(0.2 * others, abs=1)
    assert len(division.search.train) + len(division.search.withheld) == others


def test_every_class_stays_in_train_of_the_search(tmp_path: Path) -> None:
    frame = make_rows(2000)
    frame.loc[[3, 8], "label"] = "maybe"
    task = make_task(tmp_path, *divide(frame, np.arange(2000) >= 1600))
    plan = SplitPlan(kind="random", fraction=0.4)
    for seed in range(20):
        search = divide_rows(task, plan, seed=seed, fresh_share=0.4).search
        assert "maybe" in set(task.train.rows["label"].iloc[search.train])


def dated_task(folder: Path, rows: int = 3000, test: int = 200) -> Task:
    """Make a task of one row a day, whose test is the last days."""
    frame = make_rows(rows + test)
    frame.insert(1, "when", pd.date_range("2010-01-01", periods=rows + test).strftime("%Y-%m-%d"))
    return make_task(folder, *divide(frame, np.arange(rows + test) >= rows))


def test_by_time_the_last_horizon_is_kept_apart_and_the_holdout_is_the_period_before(tmp_path: Path) -> None:
    task = dated_task(tmp_path)
    division = divide_rows(task, infer_split(task), seed=0, fresh_share=0.15)
    assert division.apart is not None
    assert division.apart.withheld.tolist() == list(range(2800, 3000))
    assert division.search.withheld.tolist() == list(range(2600, 2800))
    assert division.search.train.max() == 2599
    assert division.apart.train.tolist() == list(range(2800))


def test_by_time_no_more_than_the_share_is_kept_apart(tmp_path: Path) -> None:
    task = dated_task(tmp_path, test=900)
    division = divide_rows(task, infer_split(task), seed=0, fresh_share=0.15)
    assert division.apart is not None
    assert division.apart.withheld.tolist() == list(range(2550, 3000))
    assert division.search.withheld.max() == 2549


@pytest.mark.parametrize("count", [4, 30])
def test_by_series_the_last_rows_are_kept_apart(count: int, tmp_path: Path) -> None:
    days, test_days = 6000 // count, 600 // count
    rows = (days + test_days) * count
    frame = make_rows(rows)
    day = np.repeat(np.arange(days + test_days), count)
    frame.insert(1, "when", (pd.Timestamp("2010-01-01") + pd.to_timedelta(day, unit="D")).strftime("%Y-%m-%d"))
    frame.insert(2, "store", [f"S{number}" for number in np.tile(np.arange(count), days + test_days)])
    task = make_task(tmp_path, *divide(frame, day >= days), split="series:store:when")
    division = divide_rows(task, infer_split(task), seed=0, fresh_share=0.15)
    assert division.apart is not None
    assert set(day[division.apart.withheld]) == set(range(days - test_days, days))
    assert day[division.search.train].max() < day[division.apart.withheld].min()
    stores = frame["store"].to_numpy()
    searched, apart = (set(stores[holdout.withheld]) for holdout in (division.search, division.apart))
    if count == 4:
        assert day[division.search.withheld].max() == days - test_days - 1
        assert searched == apart
    else:
        assert day[division.search.withheld].max() == days - 1
        assert not searched & apart


def test_fresh_splits_of_small_tables_are_in_train_of_the_search(tmp_path: Path) -> None:
    task = random_task(tmp_path, count=1000)
    plan = infer_split(task)
    search = search_holdout(task, plan, seed=0)
    assert not any(holdout.unseen_in(search) for holdout in fresh_holdouts(task, plan, seed=0, count=2))
    division = divide_rows(task, plan, seed=0, fresh_share=0.4)
    assert division.apart is not None
    assert division.apart.unseen_in(division.search)
