"""What a plan says where the files do not show how test was sampled, and plans for long and wide tables."""

import time

import numpy as np
import pandas as pd
import pytest

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.shares import MAX_WITHHELD, share_to_withhold
from tests.unit.planted_splits import plan_of


def rows(count: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"f": rng.normal(size=count), "g": rng.normal(size=count)})
    return frame.assign(y=rng.normal(size=count))


def plan_without_test(frame: pd.DataFrame) -> SplitPlan:
    return plan_of(frame, np.zeros(len(frame), dtype=bool))


def test_without_test_rows_a_random_split_is_assumed() -> None:
    plan = plan_without_test(rows())
    assert (plan.kind, plan.fraction, plan.keep_duplicates) == ("random", 0.2, False)
    assert plan.evidence[0].startswith("assumed: there is no test file")


def test_without_test_rows_repeated_rows_stay_together() -> None:
    assert plan_without_test(pd.concat([rows(), rows()], ignore_index=True)).keep_duplicates


def test_without_test_rows_dates_and_identifiers_are_named() -> None:
    frame = rows().assign(day=pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d"))
    plan = plan_without_test(frame.assign(patient=np.arange(400) // 8))
    assert any("'time:day'" in line for line in plan.evidence)
    assert any("'group:patient'" in line for line in plan.evidence)


def test_ids_of_test_after_those_of_train_cannot_be_decided() -> None:
    frame = rows().assign(id=np.arange(400))
    plan = plan_of(frame, np.arange(400) >= 300)
    assert plan.kind == "random"
    assert any("cannot be decided" in line and "'time:id'" in line for line in plan.evidence)


def test_ids_in_the_order_of_a_date_are_named() -> None:
    frame = rows().assign(id=np.arange(400), day=pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d"))
    plan = plan_of(frame, np.random.default_rng(1).random(400) < 0.3)
    assert any("id increases with day" in line for line in plan.evidence)


@pytest.mark.parametrize("train_rows", [200_000, 5_000_000])
def test_long_tables_withhold_a_bounded_number_of_rows(train_rows: int) -> None:
    fraction, note = share_to_withhold(train_rows, train_rows)
    assert fraction * train_rows == pytest.approx(MAX_WITHHELD)
    assert "are enough" in note


def test_wide_tables_are_planned_in_seconds() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 50, (200, 2000)).astype(str)
    frame = pd.DataFrame(values, columns=[f"c{number}" for number in range(2000)]).assign(y=rng.normal(size=200))
    start = time.process_time()
    assert plan_of(frame, rng.random(200) < 0.3).kind == "random"
    # Chosen by judgement, with room for a busy machine; not measured.
    assert time.process_time() - start < 20
