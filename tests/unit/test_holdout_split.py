"""The split is inferred from how test differs from train."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.errors import TaskError
from mlestar.evaluation import infer_split
from mlestar.evaluation.holdout.crossing import count_crossing
from mlestar.evaluation.holdout.rule import SplitRule
from tests.unit.holdout_folders import divide, make_rows, make_task, random_task


def last_rows(count: int, share: float = 0.7) -> np.ndarray:
    return np.arange(count) >= count * share


def test_random_rows_of_a_classification_are_stratified(tmp_path: Path) -> None:
    plan = infer_split(random_task(tmp_path))
    assert (plan.kind, plan.column, plan.keep_duplicates) == ("stratified", None, False)
    assert plan.fraction == pytest.approx(0.3, abs=0.06)


def test_random_rows_of_a_regression_are_random(tmp_path: Path) -> None:
    assert infer_split(random_task(tmp_path, metric="mae")).kind == "random"


@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y"])
def test_later_dates_in_test_mean_a_time_split(tmp_path: Path, date_format: str) -> None:
    frame = make_rows(300)
    frame.insert(1, "when", pd.date_range("2020-01-01", periods=300).strftime(date_format))
    plan = infer_split(make_task(tmp_path, *divide(frame, last_rows(300))))
    assert (plan.kind, plan.column) == ("time", "when")
    assert plan.horizon == "89 days"


@pytest.mark.parametrize(
    "date_format",
    [
        *("%d/%m/%y", "%m/%d/%y %H:%M", "%d.%m.%y", "%d-%m-%Y %H:%M", "%m-%d-%Y", "%d/%m/%Y %H:%M:%S", "%Y%m%d%H"),
        *("%d-%b-%y", "%d %b %y", "%B %d, %Y", "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S +0000 %Y"),
        *("%Y-%j", "%d/%b/%Y:%H:%M:%S +0000", "[%d/%m/%y, %H:%M] Ann: see you at 10", "%Y\u5e74%m\u6708%d\u65e5"),
    ],
)
def test_dates_in_whatever_form_are_time(date_format: str, tmp_path: Path) -> None:
    frame = make_rows(300)
    frame.insert(1, "sold", pd.date_range("2019-03-05", periods=300).strftime(date_format))
    plan = infer_split(make_task(tmp_path, *divide(frame, last_rows(300))))
    assert (plan.kind, plan.column, plan.horizon) == ("time", "sold", "89 days")


@pytest.mark.parametrize("date_format", ["%b-%y", "%b %Y", "%B %Y", "%Y%m", "%Y/%m", "%m/%Y", "%G-W%V", "quarter"])
def test_months_weeks_and_quarters_are_time(date_format: str, tmp_path: Path) -> None:
    days = pd.date_range("2012-01-02", periods=300, freq="7D")
    frame = make_rows(300)
    frame.insert(1, "sold", days.to_period("Q").astype(str) if date_format == "quarter" else days.strftime(date_format))
    in_test = np.asarray(days >= pd.Timestamp("2016-01-01"))
    plan = infer_split(make_task(tmp_path, *divide(frame, in_test)))
    assert (plan.kind, plan.column) == ("time", "sold")
    assert "2012-01" in plan.evidence[0]


def test_codes_that_look_like_dates_are_groups(tmp_path: Path) -> None:
    frame = make_rows(400)
    frame.insert(1, "part", [f"{1 + row // 8 % 50:02d}-{row // 8:02d}-99" for row in range(400)])
    in_test = np.isin(np.arange(400) // 8, np.random.default_rng(1).choice(50, 15, replace=False))
    plan = infer_split(make_task(tmp_path, *divide(frame, in_test)))
    assert (plan.kind, plan.column) == ("group", "part")


def test_short_names_of_year_and_month_are_time(tmp_path: Path) -> None:
    frame, month = make_rows(360), np.arange(360) // 6
    frame.insert(1, "yr", 2010 + month // 12)
    frame.insert(2, "mo", month % 12 + 1)
    plan = infer_split(make_task(tmp_path, *divide(frame, month >= 50)))
    assert (plan.kind, plan.keys) == ("time", ("yr", "mo"))


def test_later_counter_in_test_means_a_time_split(tmp_path: Path) -> None:
    frame = make_rows(300)
    frame.insert(1, "week", np.arange(300) // 10)
    assert infer_split(make_task(tmp_path, *divide(frame, last_rows(300)))).column == "week"


def test_dates_inside_ids_mean_a_time_split(tmp_path: Path) -> None:
    frame = make_rows(300)
    frame["id"] = [f"shop{row % 3}_{day:%Y-%m-%d}" for row, day in enumerate(pd.date_range("2020-01-01", periods=300))]
    plan = infer_split(make_task(tmp_path, *divide(frame, last_rows(300))))
    assert (plan.kind, plan.column, plan.group_rule) == ("time", "id", SplitRule(part="date"))


def test_ids_that_number_the_rows_are_not_time(tmp_path: Path) -> None:
    assert infer_split(make_task(tmp_path, *divide(make_rows(300), last_rows(300)))).kind == "stratified"


def test_interleaved_dates_are_not_time(tmp_path: Path) -> None:
    frame = make_rows(300)
    frame.insert(1, "when", pd.date_range("2020-01-01", periods=300).strftime("%Y-%m-%d"))
    assert infer_split(make_task(tmp_path, *divide(frame, np.arange(300) % 3 == 0))).kind == "stratified"


def test_whole_days_in_test_mean_a_group_split_by_day(tmp_path: Path) -> None:
    hours = pd.date_range("2020-01-01", periods=1200, freq="h")
    frame = make_rows(1200)
    frame.insert(1, "when", hours.strftime("%Y-%m-%d %H:%M"))
    plan = infer_split(make_task(tmp_path, *divide(frame, np.asarray(hours.day_of_year % 4 == 0))))
    assert (plan.kind, plan.column, plan.group_rule) == ("group", "when", SplitRule(part="day"))


@pytest.mark.parametrize("column", ["patient", "id"])
def test_values_kept_apart_mean_a_group_split(tmp_path: Path, column: str) -> None:
    frame = make_rows(400)
    groups = np.random.default_rng(3).integers(0, 60, 400)
    frame.insert(1, "patient", [f"P{group}" for group in groups])
    if column == "id":
        frame = frame.drop(columns="patient").assign(id=[f"{group:03d}_{row}" for row, group in enumerate(groups)])
    plan = infer_split(make_task(tmp_path, *divide(frame, groups % 3 == 0)))
    assert (plan.kind, plan.column) == ("group", column)
    assert "0 values are in both files" in plan.evidence[0]


def test_a_property_that_follows_the_group_is_not_chosen(tmp_path: Path) -> None:
    frame = make_rows(400)
    groups = np.random.default_rng(3).integers(0, 30, 400)
    ages = np.random.default_rng(4).permutation(np.arange(30, 60))
    frame.insert(1, "age", ages[groups])
    frame.insert(2, "patient", groups)
    assert infer_split(make_task(tmp_path, *divide(frame, groups % 3 == 0))).column == "patient"


def test_the_coarsest_group_is_chosen(tmp_path: Path) -> None:
    frame = make_rows(800)
    sentences = np.random.default_rng(3).integers(0, 200, 800)
    frame.insert(1, "sentence", [f"s{sentence}" for sentence in sentences])
    frame.insert(2, "document", [f"d{sentence // 5}" for sentence in sentences])
    assert infer_split(make_task(tmp_path, *divide(frame, sentences // 5 % 3 == 0))).column == "document"


def test_duplicates_that_never_cross_stay_together(tmp_path: Path) -> None:
    rows = make_rows(300)
    frame = pd.concat([rows, rows]).assign(id=np.arange(600))
    plan = infer_split(make_task(tmp_path, *divide(frame, np.tile(np.arange(300) % 3 == 0, 2))))
    assert plan.kind == "stratified"
    assert plan.keep_duplicates


def test_duplicates_that_cross_are_not_kept_together(tmp_path: Path) -> None:
    rows = make_rows(300)
    frame = pd.concat([rows, rows]).assign(id=np.arange(600))
    drawn = np.random.default_rng(5).random(600) < 0.3
    assert not infer_split(make_task(tmp_path, *divide(frame, drawn))).keep_duplicates


def test_a_few_duplicates_prove_nothing(tmp_path: Path) -> None:
    rows = make_rows(300)
    frame = pd.concat([rows, rows.iloc[:9:3]]).assign(id=np.arange(303))
    plan = infer_split(make_task(tmp_path, *divide(frame, np.append(np.arange(300) % 3 == 1, [False] * 3))))
    assert not plan.keep_duplicates


@pytest.mark.parametrize("seed", range(12))
def test_repeating_columns_of_random_rows_are_no_groups(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = make_rows(500, seed)
    frame.insert(1, "city", rng.zipf(1.5, 500))
    frame.insert(2, "code", [f"{number}-{row % 9}" for row, number in enumerate(rng.integers(0, 150, 500))])
    frame.insert(3, "price", rng.gamma(2.0, 10.0, 500).round(1))
    plan = infer_split(make_task(tmp_path, *divide(frame, rng.random(500) < 0.3)))
    assert (plan.kind, plan.keep_duplicates) == ("stratified", False)


@pytest.mark.parametrize("split", ["group:colour", "random", "stratified", "time:rank"])
def test_a_set_split_takes_precedence(tmp_path: Path, split: str) -> None:
    plan = infer_split(random_task(tmp_path, split=split))
    assert (plan.kind, plan.column or "") == tuple((split + ":").split(":")[:2])
    assert "is set" in plan.evidence[0]


def test_a_set_split_by_an_unknown_column_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no column 'nothing'"):
        infer_split(random_task(tmp_path, split="group:nothing"))


def test_crossing_counts_match_a_simulation() -> None:
    rng = np.random.default_rng(0)
    values, drawn = rng.integers(0, 80, 300), rng.random((200, 300)) < 0.3
    crossings = [count_crossing(values[~mask], values[mask]) for mask in drawn]
    assert np.mean([crossing.observed for crossing in crossings]) == pytest.approx(
        np.mean([crossing.expected for crossing in crossings]), rel=0.02
    )
    assert min(crossing.log_p for crossing in crossings) > np.log(1e-3)
