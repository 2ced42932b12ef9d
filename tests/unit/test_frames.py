"""Tasks from data frames and from a file: written as a task folder, of which nothing is lost."""

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mlestar
from mlestar.data.frames import TableInput, write_table_task
from mlestar.errors import TaskError, UserError
from tests.unit.command_line import call
from tests.unit.scenario import SMALL, Scenario


def make_frames(rows: int = 200, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(rows), "x": rng.normal(size=rows).round(4)})
    frame["label"] = np.where(frame["x"] > 0, "yes", "no")
    return frame.iloc[: rows * 3 // 4], frame.iloc[rows * 3 // 4 :]


def read_back(folder: Path, frame: Any, target: str = "y") -> pd.DataFrame:
    write_table_task(folder, TableInput(frame), (target,))
    return pd.read_csv(folder / "input/train.csv", dtype=str, keep_default_na=False)


VALUES: dict[str, tuple[list[object], list[str]]] = {
    "dates": ([datetime.datetime(2026, 1, 2), None], ["2026-01-02", ""]),
    "times": ([datetime.datetime(2026, 1, 2, 3, 4, 5), None], ["2026-01-02 03:04:05", ""]),
    "booleans": ([True, None], ["True", ""]),
    "integers": ([9007199254740993, None], ["9007199254740993", ""]),
    "numbers": ([0.1, 1e-300], ["0.1", "1e-300"]),
    "line ends": (["a\nb", "c\r\nd"], ["a\nb", "c\r\nd"]),
    "carriage returns": (["a\rb", None], ["a\rb", ""]),
    "quotes": (['a"b,c', ";"], ['a"b,c', ";"]),
    "leading zeros": (["007", "1E2"], ["007", "1E2"]),
    "other scripts": (["été", "数据"], ["été", "数据"]),
}


@pytest.mark.parametrize(("values", "cells"), VALUES.values(), ids=VALUES.keys())
def test_values_of_a_pandas_frame_survive(tmp_path: Path, values: list[object], cells: list[str]) -> None:
    is_integer = type(values[0]) is int  # pandas reads a large one as a float when it infers the type
    column = pd.Series(values, dtype="Int64" if is_integer else None).convert_dtypes()
    kept = read_back(tmp_path / "task", pd.DataFrame({"c": column, "y": [0, 1]}))
    assert list(kept["c"]) == cells


@pytest.mark.parametrize(("values", "cells"), VALUES.values(), ids=VALUES.keys())
def test_values_of_a_polars_frame_survive(tmp_path: Path, values: list[object], cells: list[str]) -> None:
    kept = read_back(tmp_path / "task", pl.DataFrame({"c": values, "y": [0, 1]}).lazy())
    written = [cell.removesuffix(" 00:00:00") for cell in kept["c"]]
    assert [cell.lower() for cell in written] == [cell.lower() for cell in cells]


def test_categories_keep_their_labels(tmp_path: Path) -> None:
    column = pd.Categorical(["b", None, "a"], categories=["a", "b", "c"])
    assert list(read_back(tmp_path / "task", pd.DataFrame({"c": column, "y": [0, 1, 0]}))["c"]) == ["b", "", "a"]


def test_an_index_without_a_name_is_left_out_and_a_named_one_is_a_column(tmp_path: Path) -> None:
    plain = pd.DataFrame({"a": [1, 2], "y": [0, 1]}, index=[7, 9])
    assert list(read_back(tmp_path / "plain", plain).columns) == ["a", "y"]
    named = plain.rename_axis("customer")
    assert list(read_back(tmp_path / "named", named)["customer"]) == ["7", "9"]
    written = plain.reset_index().rename(columns={"index": "Unnamed: 0"})
    assert list(read_back(tmp_path / "written", written).columns) == ["a", "y"]


def test_column_names_become_text(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=[0, ("a", "b"), "y"])
    assert list(read_back(tmp_path / "task", frame).columns) == ["0", "a_b", "y"]


REFUSED: list[tuple[str, Any, str]] = [
    ("twice", pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]), "the column 'a' occurs more than once"),
    ("twice as text", pd.DataFrame([[1, 2, 3]], columns=[1, "1", "y"]), "the column '1' occurs more than once"),
    ("no target", pd.DataFrame({"a": [1], "yy": [2]}), "train has no column 'y': did you mean 'yy'?"),
    ("empty", pd.DataFrame({"a": [], "y": []}), "no rows"),
    ("no frame", [[1, 2]], "give a pandas or polars frame, or the path of a file, not list"),
    ("lists", pl.DataFrame({"a": [[1, 2]], "y": [1]}), "the frame cannot be written as CSV"),
    ("no file", "nowhere.csv", "no such file: nowhere.csv"),
]


@pytest.mark.parametrize(("frame", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_is_no_usable_table_is_refused_in_one_line(tmp_path: Path, frame: Any, message: str) -> None:
    with pytest.raises(TaskError) as raised:
        mlestar.solve(train=frame, target="y", runs_dir=tmp_path / "runs")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "runs").exists()


async def solve(folder: Path, train: Any, test: Any, scenario: Scenario | None = None, **more: Any) -> mlestar.Result:
    return await mlestar.asolve(
        train=train,
        test=test,
        settings={**SMALL, "outer_steps": 0, "runs_dir": folder / "runs", "model_backoff": 0},
        run_id="run",
        **{"target": "label", "id": "id", "metric": "accuracy", **(scenario or Scenario()).options(), **more},
    )


@pytest.mark.parametrize("library", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
async def test_frames_are_solved(tmp_path: Path, library: Any) -> None:
    train, test = make_frames()
    result = await solve(tmp_path, library(train), library(test), description="Which sign has x?")
    assert (result.status, result.metric) == ("solved", "accuracy")
    written = pd.read_csv(tmp_path / "runs/run/task/table/input/test.csv")
    assert list(written.columns) == ["id", "x"], "the target is left out of test"
    assert "Which sign" in (tmp_path / "runs/run/task/table/task.md").read_text(encoding="utf-8")


async def test_the_same_frames_are_the_same_run_and_others_are_refused(tmp_path: Path) -> None:
    train, test = make_frames()
    first = await solve(tmp_path, train, test)
    again = Scenario()
    assert await solve(tmp_path, train.copy(), test.copy(), again) == first
    assert (again.asked, again.ran) == ([], [])
    with pytest.raises(UserError, match=r"other data \(input/test.csv has changed, input/train.csv has changed\)"):
        await solve(tmp_path, *make_frames(seed=4))
    assert await mlestar.aresume("run", runs_dir=tmp_path / "runs") == first
    left = {path.name for path in (tmp_path / "runs/run").iterdir() if path.is_dir()}
    assert left <= {"blobs", "task", "inputs", "work", "versions"}


async def test_a_run_of_frames_resumes_where_it_was_moved(tmp_path: Path) -> None:
    first = await solve(tmp_path, *make_frames())
    (tmp_path / "runs/run/result.json").unlink()
    (tmp_path / "runs").rename(tmp_path / "kept")
    resumed = await mlestar.aresume("run", runs_dir=tmp_path / "kept", **Scenario().options())
    assert (resumed.status, resumed.winner) == (first.status, first.winner)


MIXED: list[dict[str, Any]] = [
    {},
    {"task": "folder", "train": "train.csv"},
    {"task": ".", "test": "test.csv"},
    {"task": ".", "description": "text"},
]


@pytest.mark.parametrize("arguments", MIXED, ids=lambda arguments: " ".join(arguments) or "nothing")
def test_a_mixture_of_inputs_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as raised:
        mlestar.solve(**arguments, runs_dir=tmp_path / "runs")
    assert "train=" in str(raised.value)


def test_the_file_of_a_labelled_table_is_a_task_for_the_command_line(tmp_path: Path) -> None:
    train, _ = make_frames()
    train.to_csv(tmp_path / "customers.csv", index=False)
    options = ("--target", "label", "--id", "id", "--split", "stratified", "--metric", "accuracy")
    shown = json.loads(call("check", tmp_path / "customers.csv", *options, "--json").stdout)
    assert (shown["spec"]["target"], shown["spec"]["id"], shown["split"]["kind"]) == (["label"], "id", "stratified")
    wrong = call("check", tmp_path / "customers.csv", "--target", "labels", "--metric", "accuracy")
    assert (wrong.exit_code, len(wrong.stderr.strip().splitlines())) == (2, 1)


async def test_the_file_of_a_labelled_table_is_solved(tmp_path: Path) -> None:
    train, _ = make_frames()
    train.to_csv(tmp_path / "customers.csv", index=False)
    values = {**SMALL, "outer_steps": 0, "runs_dir": tmp_path / "runs", "model_backoff": 0}
    options: dict[str, Any] = {"settings": values, "target": "label", "metric": "accuracy", "run_id": "run"}
    result = await mlestar.asolve(tmp_path / "customers.csv", **options, **Scenario().options())
    assert (result.task, result.status) == ("customers", "solved")
    make_frames(seed=9)[0].to_csv(tmp_path / "customers.csv", index=False)
    with pytest.raises(UserError, match="other data"):
        await mlestar.asolve(tmp_path / "customers.csv", **options, **Scenario().options())
