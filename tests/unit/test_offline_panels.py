"""The offline engineer's scripts for tables whose rows continue series: generated panels, run and graded."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from mlestar.offline.ablation import write_study
from tests.unit.offline_context import brief_of, candidate, grade_on_holdout, score_of


def visits(size: int = 16, rows: int = 24) -> pd.DataFrame:
    """Return people with a level and a slope of their own, each seen at days of its own; the last third is for test."""
    draw = np.random.default_rng(0)
    parts = []
    for person in range(size):
        days = np.sort(draw.choice(200, rows, replace=False)).astype(float)
        values = draw.normal(20, 8) + draw.normal(0, 0.1) * days + draw.normal(0, 0.05, rows)
        late = np.arange(rows) >= rows * 2 // 3
        parts.append(
            pd.DataFrame({"person": person, "day": days, "noise": draw.normal(size=rows), "y": values, "late": late})
        )
    return pd.concat(parts, ignore_index=True)


def sales(shops: int = 8, days: int = 90) -> pd.DataFrame:
    """Return shops with a level and a week of their own over the same days; the last twelve days are for test."""
    draw = np.random.default_rng(1)
    dates = pd.date_range("2024-01-01", periods=days)
    parts = []
    for shop in range(shops):
        values = draw.normal(50, 10) + np.cumsum(draw.normal(0, 0.3, days)) + draw.normal(0, 4, 7)[np.arange(days) % 7]
        table = {"date": dates.strftime("%Y-%m-%d"), "shop": f"shop {shop}", "y": values + draw.normal(0, 0.5, days)}
        parts.append(pd.DataFrame({**table, "late": np.arange(days) >= days - 12}))
    return pd.concat(parts, ignore_index=True).sort_values("date", kind="stable")


def write_task(folder: Path, rows: pd.DataFrame, metric: str = "mae", target: str = "y") -> Path:
    folder.mkdir()
    rows = rows.reset_index(drop=True)
    rows.insert(0, "id", np.arange(len(rows)))
    train, test = rows[~rows.late].drop(columns="late"), rows[rows.late].drop(columns=["late", target])
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(**{target: train[target].iloc[0]}).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f'metric = "{metric}"\n', encoding="utf-8")
    return folder


def definitions(script: str, folder: Path) -> dict[str, Any]:
    """Return what a script defines, with `train`, `y`, `x` and `x_test` as it computes them."""
    found: dict[str, Any] = {"__name__": "script"}
    (folder / "input").symlink_to(folder)
    with contextlib.chdir(folder):
        exec(compile(script, "main.py", "exec"), found)
        train, test = found["load"]()
        x, x_test = found["build_features"](train, test)
    return {**found, "train": train, "y": found["read_target"](train), "x": x, "x_test": x_test}


def without_history(script: str) -> str:
    """Return the script with the model of the features alone."""
    call = "predict_series(x, to_scale(y), others, seed)"
    assert call in script
    plain = "[parts for parts in fit_predict(x, to_scale(y), others, seed)]"
    return script.replace(call, plain, 1)


@pytest.mark.parametrize(("rows", "kind"), [(visits(), "series"), (sales(), "time")], ids=["series", "time"])
def test_forecasts_of_series_are_better_than_features_alone(rows: pd.DataFrame, kind: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", rows)
    brief = brief_of(folder)
    assert brief.split is not None
    assert brief.split.kind == kind
    script = candidate(brief)
    grade, printed = grade_on_holdout(script, folder, tmp_path / "with")
    plain, _ = grade_on_holdout(without_history(script), folder, tmp_path / "without")
    assert grade < 0.6 * plain
    assert score_of(printed) < 1.5 * plain


def test_forecasts_of_the_past_know_only_earlier_rows_of_their_series(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", visits())
    script = definitions(candidate(brief_of(folder)), folder)
    x, x_test = script["x"], script["x_test"]
    stretches = list(script["backtest_windows"](x, [x_test]))
    assert stretches
    for known, asked in stretches:
        last = x[known].groupby("series_number").series_time.max()
        assert (x[asked].series_time > x[asked].series_number.map(last)).all()


def test_forecasts_do_not_depend_on_the_targets_of_later_rows(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", sales())
    script = definitions(candidate(brief_of(folder)), folder)
    x, y = script["x"], script["y"]
    rows, table = script["backtest_forecasts"](x, y, [script["x_test"]])
    latest = x.series_time.to_numpy() == x.series_time.max()
    changed_rows, changed = script["backtest_forecasts"](x, np.where(latest, y + 1000, y), [script["x_test"]])
    assert latest[rows].any()
    np.testing.assert_array_equal(rows, changed_rows)
    pd.testing.assert_frame_equal(table, changed)


def test_a_line_is_continued(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", visits())
    script = definitions(candidate(brief_of(folder)), folder)
    known = pd.DataFrame({"series_number": 0.0, "series_time": np.arange(10.0)})
    asked = pd.DataFrame({"series_number": [0.0, 7.0], "series_time": [12.0, 12.0]})
    table = script["history"](known, 3 + 2 * np.arange(10.0), asked)
    assert table.past_line_inf[0] == pytest.approx(27)
    assert table.past_last[0] == 21
    assert table.past_rows.tolist() == [10, 0]


def test_series_that_train_lacks_are_predicted_by_the_features(tmp_path: Path) -> None:
    rows = sales()
    new = rows[rows.late & (rows.shop == "shop 0")].assign(shop="a new shop")
    folder = write_task(tmp_path / "task", pd.concat([rows, new]))
    script = definitions(candidate(brief_of(folder)), folder)
    others, names = [script["x_test"]], ["features", "residual"]
    with threadpool_limits(1):
        members = script["series_members"](script["x"], script["y"], others, 0, names)
    lacking = ~script["x_test"].series_number.isin(script["x"].series_number).to_numpy()
    assert lacking.sum() == 12
    np.testing.assert_array_equal(members["residual"][0][lacking], members["features"][0][lacking])
    assert (members["residual"][0][~lacking] != members["features"][0][~lacking]).any()


@pytest.mark.parametrize(
    ("step", "written"),
    [("D", "%Y%m%d"), ("D", "%d-%B-%Y"), ("MS", "%b %Y"), ("QS", "quarter")],
)
def test_dates_are_read_however_they_are_written(step: str, written: str, tmp_path: Path) -> None:
    rows = sales()
    known = pd.Series(pd.date_range("2000-01-01", periods=90, freq=step).strftime("%Y-%m-%d"))
    dates = pd.to_datetime(rows["date"].map(dict(zip(sorted(rows["date"].unique()), known, strict=True))))
    quarters = dates.dt.year.astype(str) + "Q" + dates.dt.quarter.astype(str)
    cells = quarters if written == "quarter" else dates.dt.strftime(written)
    folder = write_task(tmp_path / "task", rows.assign(date=cells))
    script = definitions(candidate(brief_of(folder)), folder)
    days = np.diff(np.sort(script["x"].series_time.unique())) / 86_400
    assert days.min() == pytest.approx({"D": 1, "MS": 28, "QS": 90}[step])
    assert script["x"].series_number.nunique() == 8
    assert {"date_month", "date_days"} <= set(script["x"])


def test_days_of_calendar_columns_are_days(tmp_path: Path) -> None:
    rows = sales()
    dates = pd.to_datetime(rows["date"])
    parts = {"year": dates.dt.year, "month": dates.dt.month, "day": dates.dt.day}
    folder = write_task(tmp_path / "task", rows.drop(columns="date").assign(**parts))
    script = definitions(candidate(brief_of(folder)), folder)
    assert set(np.diff(np.sort(script["x"].series_time.unique()))) == {86_400.0}


def test_series_are_found_in_ids_with_a_date(tmp_path: Path) -> None:
    rows = sales().reset_index(drop=True)
    folder = write_task(tmp_path / "task", rows)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        table = pd.read_csv(folder / name)
        table["id"] = [f"{rows['shop'][number]}_{rows['date'][number]}" for number in table["id"]]
        kept = ["id", "y"] if name == "train.csv" else [column for column in ("id", "y") if column in table]
        table[kept].to_csv(folder / name, index=False)
    script = definitions(candidate(brief_of(folder)), folder)
    assert script["x"].series_number.nunique() == 8


def test_one_short_series_is_predicted_as_without_history(tmp_path: Path) -> None:
    rows = sales(shops=1, days=120).drop(columns="shop")
    rows["late"] = np.arange(len(rows)) >= 80
    folder = write_task(tmp_path / "task", rows)
    script = definitions(candidate(brief_of(folder)), folder)
    x, y, others = script["x"], script["y"], [script["x_test"]]
    assert "series_number" not in x
    assert script["weigh_members"](x, y, others, 0) == {"level": 1.0}


def test_rows_without_order_in_their_series_have_no_history(tmp_path: Path) -> None:
    rows = sales()
    folder = write_task(tmp_path / "task", pd.concat([rows, rows.assign(y=rows.y + 1)]).sort_values("date"))
    script = definitions(candidate(brief_of(folder)), folder)
    assert "series_time" not in script["x"]


def test_classes_have_no_history(tmp_path: Path) -> None:
    rows = sales()
    rows["y"] = np.where(rows.y > rows.y.median(), "high", "low")
    script = candidate(brief_of(write_task(tmp_path / "task", rows, "accuracy")))
    assert "history" not in script


def test_a_study_measures_the_forecasts_of_series(tmp_path: Path) -> None:
    study = write_study(candidate(brief_of(write_task(tmp_path / "task", sales()))), "")
    assert "without_series" in study
