"""Rows without a target that can be learned are left out and counted; labels are not merged."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.targets import filled_labels, missing_labels
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import Grader, infer_split, search_holdout, stage
from mlestar.metrics import KnownLabels
from tests.unit.holdout_folders import divide, make_rows, make_task


def task_of(folder: Path, cells: list[str], metric: str, *, rest: list[str]) -> Task:
    """Make a task whose target begins with these cells and continues with the others in turn."""
    folder.mkdir()
    frame = make_rows(120)
    frame["label"] = [*cells, *(rest[row % len(rest)] for row in range(120 - len(cells)))]
    return make_task(folder, *divide(frame, np.arange(120) >= 90), metric)


def test_missing_targets_are_counted_and_never_staged(tmp_path: Path) -> None:
    task = task_of(tmp_path / "task", ["NA", "NaN", "null", "", " "], "rmse", rest=["1.5", "2", "7.25"])
    assert "left out: 5 rows of train.csv without a target" in task.notes
    stage(task, None, tmp_path / "real")
    assert pd.read_csv(tmp_path / "real" / "train.csv")["label"].notna().all()
    assert len(pd.read_csv(tmp_path / "real" / "train.csv")) == 85
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "holdout")
    staged = pd.read_csv(tmp_path / "holdout" / "train.csv")
    assert staged["label"].notna().all()
    assert len(staged) == 85 - len(holdout.withheld)


@pytest.mark.parametrize("cell", ["inf", "-inf", "1e999", "Infinity"])
def test_infinite_targets_are_counted_and_never_staged(cell: str, tmp_path: Path) -> None:
    task = task_of(tmp_path / "task", [cell], "rmse", rest=["1.5", "2", "7.25"])
    assert "left out: 1 row of train.csv with an infinite target" in task.notes
    stage(task, None, tmp_path / "real")
    assert np.isfinite(pd.read_csv(tmp_path / "real" / "train.csv")["label"]).all()


def test_a_task_without_gaps_is_staged_to_the_byte(tmp_path: Path) -> None:
    task = task_of(tmp_path / "task", [], "rmse", rest=["1.50", "2", "7.25"])
    stage(task, None, tmp_path / "real")
    assert (tmp_path / "real" / "train.csv").read_bytes() == (task.input / "train.csv").read_bytes()


def test_missing_labels_are_no_class(tmp_path: Path) -> None:
    task = task_of(tmp_path / "task", ["NA", "null", "NaN"], "accuracy", rest=["yes", "no"])
    assert task.spec.classes == ("no", "yes")
    assert "left out: 3 rows of train.csv without a target" in task.notes


def test_none_beside_words_is_a_class_and_said_to_be(tmp_path: Path) -> None:
    task = task_of(tmp_path / "task", [], "accuracy", rest=["None", "mild", "severe"])
    assert task.spec.classes == ("None", "mild", "severe")
    assert any("'None' is taken for a class" in note for note in task.notes)
    assert search_holdout(task, infer_split(task), seed=0)


@pytest.mark.parametrize(
    ("labels", "named", "missing"),
    [
        (["NA", "yes", "no"], [], ["NA"]),
        (["NA", "EU", "AS", "SA"], [], []),
        (["NA", "yes", "no"], ["NA"], []),
        (["None", "0", "1"], [], ["None"]),
        (["None", "True", "False"], [], ["None"]),
        (["none", "low", "high"], [], []),
        (["null", "low", "high"], [], ["null"]),
        (["nan", "1"], [], ["nan"]),
    ],
)
def test_which_words_stand_for_a_missing_label(labels: list[str], named: list[str], missing: list[str]) -> None:
    assert missing_labels(labels, named) == set(missing)
    classes = set(labels) - set(missing)
    assert filled_labels(pd.Series(labels), classes).tolist() == [label not in missing for label in labels]


@pytest.mark.parametrize(
    ("metric", "cells", "message"),
    [
        ("rmsle", ["-1", "2"], "holds '-1' in row 1, but rmsle is not defined for negative values"),
        ("mape", ["0.0", "2"], "holds '0.0' in row 1, but mape is not defined for zeros"),
        ("rmse", ["NA", "inf"], "no number in any row"),
        ("rmse", ["1", "two"], "holds 'two' in row 2, but the metric needs numbers"),
    ],
)
def test_a_target_without_a_score_is_refused(metric: str, cells: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message):
        task_of(tmp_path / "task", [], metric, rest=cells)


def test_targets_are_graded_as_they_are_written(tmp_path: Path) -> None:
    amounts = [f"$1,{row % 7}00.50" for row in range(120)]
    task = task_of(tmp_path / "task", amounts, "mae", rest=[])
    assert task.spec.number_formats == {"label": "$1,234.5"}
    grader = Grader(task, search_holdout(task, infer_split(task), seed=0))
    ids = task.train.rows["id"].to_numpy()[grader.holdout.withheld]
    right = [1000.5 + 100 * (row % 7) for row in grader.holdout.withheld]
    pd.DataFrame({"id": ids, "label": right}).to_csv(tmp_path / "submission.csv", index=False)
    assert grader.grade(tmp_path / "submission.csv").score == 0.0


@pytest.mark.parametrize(
    ("known", "text", "expected"),
    [
        (["9007199254740993", "9007199254740992"], "9007199254740993", "9007199254740993"),
        (["1E2", "100"], "100.0", "100"),
        (["1E2", "100"], "1E2", "1E2"),
        (["1E2", "200"], "100.0", "1E2"),
        (["007", "7"], "7", "7"),
        (["007", "7"], "007", "007"),
        (["007", "012"], "7", "007"),
        (["007", "07"], "7", "7"),
        (["yes"], "YES", "YES"),
        (["TRUE"], "true", "True"),
    ],
)
def test_a_label_in_another_spelling_is_recognized_unless_two_are_meant(
    known: list[str], text: str, expected: str
) -> None:
    assert KnownLabels(known).match([text]).tolist() == [expected]


def test_labels_of_one_number_are_different_classes(tmp_path: Path) -> None:
    labels = ["1E2", "100", "007", "7", "9007199254740993", "9007199254740992"]
    task = task_of(tmp_path / "task", [], "accuracy", rest=labels)
    assert set(task.spec.classes) == set(labels)
    grader = Grader(task, search_holdout(task, infer_split(task), seed=0))
    right = task.train.rows[["id", "label"]].iloc[grader.holdout.withheld]
    right.to_csv(tmp_path / "submission.csv", index=False)
    assert grader.grade(tmp_path / "submission.csv").score == 1.0
    swapped = right.assign(label=right["label"].replace({"1E2": "100", "007": "7", labels[4]: labels[5]}))
    swapped.to_csv(tmp_path / "submission.csv", index=False)
    wrong = right["label"].isin(["1E2", "007", labels[4]]).mean()
    assert grader.grade(tmp_path / "submission.csv").score == pytest.approx(1 - wrong)


def test_negative_values_that_a_metric_does_not_allow_are_not_guessed_to_be_missing(tmp_path: Path) -> None:
    rows = make_rows(300).assign(label=np.random.default_rng(0).normal(10, 1, 300).round(3))
    rows.loc[:20, "label"] = -1
    rows[:200].to_csv(tmp_path / "train.csv", index=False)
    rows[200:].drop(columns="label").to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(TaskError, match="not defined for negative values"):
        Task.load(tmp_path, metric="rmsle")
    assert Task.load(tmp_path, metric="rmsle", missing=["-1"]).spec.missing_targets == ("-1.0",)
    assert Task.load(tmp_path, metric="rmse").spec.missing_targets == ("-1.0",)
