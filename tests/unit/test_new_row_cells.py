"""Cells of new rows: whatever type a frame has them in, they are written as train writes them, or refused."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import stage
from mlestar.export.neutral import without_cells
from mlestar.predictor import RowColumn, RowSpec, check_frame, row_spec
from mlestar.predictor.new_rows import put_rows
from mlestar.predictor.predictions import Predictions
from tests.unit.test_predict import predictions

NOON = pd.Series(pd.to_datetime(["2024-03-01 12:00"]))
OSLO = NOON.dt.tz_localize("Europe/Oslo")
UTC = ("2024-01-01T00:00:00Z",)
DAY = ("2024-01-31",)


def write(values: Any, kind: str, *examples: str, **facts: Any) -> list[str]:
    column = RowColumn.model_validate({"name": "c", "kind": kind, "examples": examples, **facts})
    frame = pd.DataFrame({"c": values if isinstance(values, pd.Series) else pd.Series(values)})
    return [str(cell) for cell in check_frame(RowSpec(columns=(column,)), frame)["c"]]


@pytest.mark.parametrize(
    ("examples", "written"),
    [
        (UTC, "2024-03-01T11:00:00Z"),
        (("2024-01-01 00:00:00+00:00",), "2024-03-01 11:00:00+00:00"),
        (("2024-07-01 00:00:00-0500", "2024-07-02 00:00:00-0500"), "2024-03-01 06:00:00-0500"),
        (("2024-01-01 00:00:00.123000+00:00", "2024-01-02 00:00:00+00:00"), "2024-03-01 11:00:00.000000+00:00"),
        (("20240101T0000Z",), "20240301T1100Z"),
    ],
)
def test_times_with_a_zone_are_written_as_the_same_moment(examples: tuple[str, ...], written: str) -> None:
    assert write(OSLO, "date", *examples) == [written]
    assert write(OSLO.astype(object), "date", *examples) == [written]


def test_times_of_the_zone_of_train_keep_the_offset_of_their_season() -> None:
    summer = pd.Series(pd.to_datetime(["2024-07-01 12:00"])).dt.tz_localize("Europe/Oslo")
    assert write(summer, "date", "2024-01-01 00:00:00+01:00") == ["2024-07-01 12:00:00+02:00"]


@pytest.mark.parametrize(
    ("values", "examples", "format_", "message"),
    [
        (OSLO, DAY, "", "has times with a zone, and those of train have none, like 2024-01-31"),
        (OSLO, ("31.01.2024",), "%d.%m.%Y", "has times with a zone"),
        (NOON, UTC, "", "has times without a zone, and those of train have one"),
        (["2024-03-01T11:00:00"], UTC, "", "is not a date like 2024-01-01T00:00:00Z"),
        (["03/04/2024"], DAY, "", "'03/04/2024' is not a date like 2024-01-31"),
    ],
)
def test_dates_that_train_would_read_otherwise_are_refused(
    values: Any, examples: tuple[str, ...], format_: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        write(values, "date", *examples, date_format=format_)


@pytest.mark.parametrize(
    ("examples", "format_", "written"),
    [
        (DAY, "", "2024-03-01"),
        (("2024.1.5",), "", "2024.03.01"),
        (("2024-01",), "", "2024-03"),
        (("20240101000000",), "", "20240301120000"),
        (("2024-01-01 10:00", "2024-01-01"), "", "2024-03-01 12:00"),
        (("1/31/2024",), "%m/%d/%Y", "03/01/2024"),
    ],
)
def test_dates_are_written_like_those_of_train_whatever_their_type(
    examples: tuple[str, ...], format_: str, written: str
) -> None:
    for values in (NOON, NOON.astype(object), pd.Series(pd.Categorical(NOON)), NOON.astype("timestamp[us][pyarrow]")):
        assert write(values, "date", *examples, date_format=format_) == [written]
    day = write([datetime.date(2024, 3, 1)], "date", *examples, date_format=format_)
    assert day == [written.replace("12", "00")]


@pytest.mark.parametrize(
    ("kind", "examples", "written"),
    [
        ("category", ("no", "yes"), ["yes", "no"]),
        ("category", ("Y", "N"), ["Y", "N"]),
        ("bool", ("FALSE",), ["TRUE", "FALSE"]),
        ("int", ("0", "1"), ["1", "0"]),
        ("int", ("8", "41"), ["1", "0"]),
    ],
)
def test_truth_values_are_spelled_as_in_train(kind: str, examples: tuple[str, ...], written: list[str]) -> None:
    assert write([True, False], kind, *examples) == written
    assert write(pd.array([True, None, False], dtype="boolean"), kind, *examples) == [written[0], "", written[1]]
    spec = without_cells(
        RowSpec(columns=(RowColumn.model_validate({"name": "c", "kind": kind, "examples": examples}),))
    )
    assert check_frame(spec, pd.DataFrame({"c": [True, False]}))["c"].tolist() == written


def test_numbers_and_texts_for_truth_values_are_spelled_as_in_train_too() -> None:
    for values in ([1, 0], [1.0, 0.0], ["1", "0"], ["TRUE", "false"]):
        assert write(values, "bool", "True", "False") == ["True", "False"]
    with pytest.raises(UserError, match="column 'c', row 2: 'maybe' is not a truth value"):
        write(["True", "maybe"], "bool", "True", "False")


def test_truth_values_where_train_has_other_values_are_refused() -> None:
    with pytest.raises(UserError, match="holds the truth value True, and train has other values there such as 'red'"):
        write([True, False], "category", "red", "green")


def test_a_decimal_point_is_refused_where_train_has_decimal_commas() -> None:
    assert write(["1.234,5", "7", "1.234"], "float", number_format="1.234,5") == ["1.234,5", "7", "1.234"]
    with pytest.raises(UserError, match=r"'1234.5' is not a number like 1\.234,5"):
        write(["1234.5"], "float", number_format="1.234,5")


def test_values_of_other_types_are_written_as_files_of_the_task_have_them() -> None:
    assert write([np.array([1, 2]), {"a": np.int64(3)}], "json", "[1]") == ["[1, 2]", '{"a": 3}']
    assert write(pd.to_timedelta(["1h"]), "category", "2:00:00") == ["1:00:00"]
    assert write([1.0, np.nan], "category", "1.0", "x") == ["1.0", ""]
    with pytest.raises(UserError, match=r"row 2: .* has a character that UTF-8 does not have"):
        write(pd.Series(["a", "\ud800"], dtype=object), "category", "a")


def test_ids_that_are_one_number_occur_twice() -> None:
    spec = RowSpec(columns=(RowColumn(name="c", kind="int"),), id=RowColumn(name="id", kind="id"))
    with pytest.raises(UserError, match=r"the id '1\.0' in column 'id' occurs twice"):
        check_frame(spec, pd.DataFrame({"id": ["1", "1.0"], "c": 1}))


def test_codes_get_back_the_zeros_that_numbers_lost(tmp_path: Path) -> None:
    codes = [f"{code:05d}" for code in range(90, 150)]
    frame = pd.DataFrame({"id": range(60), "zip": codes, "n": range(60), "y": ["a", "b"] * 30})
    frame[:40].to_csv(tmp_path / "train.csv", index=False)
    frame[40:].drop(columns="y").to_csv(tmp_path / "test.csv", index=False)
    frame[40:][["id"]].assign(y="a").to_csv(tmp_path / "sample_submission.csv", index=False)
    spec = row_spec(Task.load(tmp_path))
    assert {column.name: column.digits for column in spec.columns} == {"zip": 5, "n": 0}
    cells = check_frame(spec, pd.DataFrame({"zip": [123.0, 99999.0, np.nan], "n": [7, 8, 9]}))
    assert cells["zip"].tolist() == ["00123", "99999", ""]


def test_rows_in_parquet_keep_zones_durations_and_lists(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="7h")
    frame = pd.DataFrame({"id": range(60), "n": np.arange(60) / 7, "utc": days.tz_localize("UTC")})
    frame["fine"], frame["span"] = days + pd.Timedelta("5ms"), days - days[0]
    frame["list"] = [[1, 2], [3]] * 30
    (tmp_path / "task").mkdir()
    frame.assign(y=["a", "b"] * 30)[:40].to_parquet(tmp_path / "task/train.parquet", index=False)
    frame[40:].to_parquet(tmp_path / "task/test.parquet", index=False)
    task = Task.load(tmp_path / "task")
    stage(task, None, tmp_path / "input")
    put_rows(task, row_spec(task), tmp_path / "input", check_frame(row_spec(task), frame[40:]))
    written, real = (pd.read_parquet(tmp_path / name / "test.parquet") for name in ("input", "task"))
    pd.testing.assert_frame_equal(written, real)


def test_two_targets_of_two_classes_have_a_probability_each() -> None:
    labels = {"problem": "multilabel", "metric": "log_loss", "classes": ("0", "1"), "pos_label": "1"}
    both: Predictions = predictions([["0.2", "0.7"]], target=("a", "b"), prediction_columns=("b", "a"), **labels)
    assert both.probabilities().to_dict("list") == {"b": [0.2], "a": [0.7]}
