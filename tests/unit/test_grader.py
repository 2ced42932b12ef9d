"""Submissions are graded for withheld rows, or rejected with one message that says what to do."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import (
    Grade,
    Grader,
    Holdout,
    check_submission,
    infer_split,
    search_holdout,
    stage,
)
from mlestar.metrics import METRICS
from tests.unit.holdout_folders import divide, make_rows, make_task, random_task


class Case:
    """A task with its holdout and the right answers."""

    def __init__(self, task: Task, folder: Path) -> None:
        self.task, self.folder = task, folder
        self.holdout: Holdout = search_holdout(task, infer_split(task), seed=1)
        self.grader = Grader(task, self.holdout)
        target = task.spec.target[0]
        frame = pd.read_csv(task.input / "train.csv", dtype=str, keep_default_na=False)
        self.answers = frame[["id", target]].iloc[self.holdout.withheld].reset_index(drop=True)

    def submit(self, frame: pd.DataFrame, name: str = "submission.csv") -> Path:
        frame.to_csv(self.folder / name, index=False)
        return self.folder / name

    def grade(self, frame: pd.DataFrame) -> Grade:
        return self.grader.grade(self.submit(frame))


def labels(folder: Path) -> Case:
    (folder / "task").mkdir()
    return Case(random_task(folder / "task"), folder)


def probabilities(folder: Path) -> Case:
    (folder / "task").mkdir()
    return Case(random_task(folder / "task", metric="auroc", pos_label="yes"), folder)


def values(folder: Path) -> Case:
    (folder / "task").mkdir()
    return Case(random_task(folder / "task", metric="rmsle"), folder)


def with_cell(frame: pd.DataFrame, row: int, column: str, cell: object) -> pd.DataFrame:
    cells = frame[column].astype(object).tolist()
    cells[row] = cell
    return frame.assign(**{column: pd.Series(cells, dtype=object)})


def likely(case: Case) -> pd.DataFrame:
    right = (case.answers["label"] == "yes").to_numpy()
    return case.answers.assign(label=np.random.default_rng(0).uniform(0.0, 0.6, len(right)) + 0.4 * right)


def test_right_answers_score_one_in_any_row_order(tmp_path: Path) -> None:
    case = labels(tmp_path)
    grade = case.grade(case.answers.sample(frac=1.0, random_state=3))
    assert (grade.score, grade.standard_error, grade.problem) == (1.0, 0.0, "")


def test_the_standard_error_of_accuracy_is_the_binomial_one(tmp_path: Path) -> None:
    case = labels(tmp_path)
    grade = case.grade(case.answers.assign(label=case.answers["label"].where(case.answers.index % 4 != 0, "no")))
    assert grade.score is not None
    assert grade.standard_error == pytest.approx(np.sqrt(grade.score * (1 - grade.score) / len(case.answers)), rel=0.2)


def test_probabilities_are_those_of_the_positive_class(tmp_path: Path) -> None:
    case = probabilities(tmp_path)
    right, wrong = case.grade(likely(case)), case.grade(likely(case).assign(label=1 - likely(case)["label"]))
    assert right.score is not None
    assert wrong.score == pytest.approx(1 - right.score)
    assert right.score > 0.9


FAULTS: dict[str, tuple[Callable[[Path], Case], Callable[[Case], pd.DataFrame], str]] = {
    "missing column": (labels, lambda c: c.answers[["id"]], "no column 'label'"),
    "extra column": (labels, lambda c: c.answers.assign(more=1), "extra column 'more'"),
    "an index": (labels, lambda c: c.answers.reset_index(), "index=False"),
    "too few rows": (labels, lambda c: c.answers.iloc[:5], "has 5 rows"),
    "too many rows": (labels, lambda c: pd.concat([c.answers, c.answers]), "more than"),
    "unknown id": (labels, lambda c: with_cell(c.answers, 2, "id", 999999), "column 'id', row 3: '999999'"),
    "repeated id": (labels, lambda c: with_cell(c.answers, 4, "id", c.answers["id"][0]), "row 5: duplicate id"),
    "empty id": (labels, lambda c: with_cell(c.answers, 4, "id", ""), "row 5: the id is empty"),
    "unknown label": (labels, lambda c: with_cell(c.answers, 6, "label", "maybe"), "row 7.*'maybe'.*'no', 'yes'"),
    "empty label": (labels, lambda c: with_cell(c.answers, 6, "label", ""), "row 7.*is empty"),
    "probability for label": (labels, lambda c: c.answers.assign(label=0.25), "looks like a probability"),
    "label for probability": (probabilities, lambda c: c.answers, "'(yes|no)' is not a number.*probability of 'yes'"),
    "hard labels": (
        probabilities,
        lambda c: c.answers.assign(label=(c.answers["label"] == "yes").astype(int)),
        "only 0 and 1.*predict_proba",
    ),
    "above one": (probabilities, lambda c: with_cell(likely(c), 3, "label", 1.5), "row 4.*not a probability"),
    "NaN": (values, lambda c: with_cell(c.answers, 3, "label", "nan"), "row 4.*not a number"),
    "infinite": (values, lambda c: with_cell(c.answers, 3, "label", "inf"), "row 4.*infinite"),
    "no number": (values, lambda c: with_cell(c.answers, 3, "label", "12,5 kg"), "row 4.*'12,5 kg' is not a number"),
    "negative": (values, lambda c: with_cell(c.answers, 3, "label", -1), "row 4.*negative.*clip at 0"),
    "huge cell": (values, lambda c: with_cell(c.answers, 3, "label", "9" * 50_000), "row 4: 50,000 characters"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(tmp_path: Path, fault: str) -> None:
    make, break_answers, message = FAULTS[fault]
    case = make(tmp_path)
    grade = case.grade(break_answers(case))
    assert grade.score is None
    assert re.search(message, grade.problem)


def test_a_copy_of_the_sample_is_rejected(tmp_path: Path) -> None:
    case = labels(tmp_path)
    stage(case.task, case.holdout, tmp_path / "input")
    grade = case.grader.grade(tmp_path / "input/sample_submission.csv")
    assert "equals the sample submission" in grade.problem
    assert "equals the sample submission" in check_submission(case.task, case.task.input / "sample_submission.csv")


def test_constant_predictions_give_a_warning(tmp_path: Path) -> None:
    case = values(tmp_path)
    grade = case.grade(case.answers.assign(label=6.5))
    assert grade.score is not None
    assert "predictions are the same" in grade.warnings[0]


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe\x00", b"id,label\n1,\xff\n", b'id,label\n"1,2\n', b"\0" * 99]
)
def test_unreadable_bytes_get_a_message(tmp_path: Path, content: bytes) -> None:
    case = labels(tmp_path)
    (tmp_path / "submission.csv").write_bytes(content)
    grade = case.grader.grade(tmp_path / "submission.csv")
    assert grade.score is None
    assert grade.problem


def test_only_an_ordinary_file_is_opened(tmp_path: Path) -> None:
    case = labels(tmp_path)
    right = case.submit(case.answers, "right.csv")
    (tmp_path / "link.csv").symlink_to(right)
    os.mkfifo(tmp_path / "pipe.csv")
    grades = [case.grader.grade(tmp_path / f"{name}.csv") for name in ("none", "link", "pipe", "task")]
    assert all(grade.score is None for grade in grades[:3])
    assert "no submission was written" in grades[0].problem


def test_a_compressed_submission_is_not_unpacked(tmp_path: Path) -> None:
    case = labels(tmp_path)
    case.answers.to_csv(tmp_path / "submission.csv.gz", index=False)
    assert case.grader.grade(tmp_path / "submission.csv.gz").score is None


def test_a_file_beyond_the_size_limit_is_rejected(tmp_path: Path) -> None:
    case = labels(tmp_path)
    with (tmp_path / "submission.csv").open("wb") as file:
        file.truncate(600 * 2**20)
    assert "bytes" in case.grader.grade(tmp_path / "submission.csv").problem


def test_labels_are_compared_canonically(tmp_path: Path) -> None:
    frame = make_rows(300).assign(label=np.random.default_rng(1).integers(0, 2, 300))
    (tmp_path / "task").mkdir()
    case = Case(make_task(tmp_path / "task", *divide(frame, np.arange(300) % 3 == 0)), tmp_path)
    assert case.grade(case.answers.assign(label=case.answers["label"].astype(float))).score == 1.0


def test_words_like_na_are_text(tmp_path: Path) -> None:
    frame = make_rows(300).assign(label=np.random.default_rng(1).choice(["NA", "null", "1.0", "Word"], 300))
    (tmp_path / "task").mkdir()
    case = Case(make_task(tmp_path / "task", *divide(frame, np.arange(300) % 3 == 0), "exact_match"), tmp_path)
    assert case.grade(case.answers).score == 1.0
    changed = case.grade(case.answers.replace({"label": {"1.0": "1"}})).score
    assert changed == pytest.approx((case.answers["label"] != "1.0").mean())


def test_grades_between_integers_are_rejected(tmp_path: Path) -> None:
    frame = make_rows(300).assign(label=np.random.default_rng(1).integers(3, 8, 300))
    (tmp_path / "task").mkdir()
    case = Case(make_task(tmp_path / "task", *divide(frame, np.arange(300) % 3 == 0), "qwk"), tmp_path)
    assert "5.7' is not an integer; round and clip" in case.grade(with_cell(case.answers, 0, "label", 5.7)).problem
    assert case.grade(case.answers).score == 1.0


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [("non_negative", -1, "is negative.*clip at 0"), ("integer", 1.5, "is not an integer")],
)
def test_the_facts_of_a_metric_restrict_its_predictions(tmp_path: Path, fact: str, value: float, message: str) -> None:
    metric = replace(METRICS["mae"], name="own", **{fact: True})  # type: ignore[arg-type]  # the name of the field varies
    frame = make_rows(300).assign(label=np.arange(300) % 7)
    (tmp_path / "task").mkdir()
    make_task(tmp_path / "task", *divide(frame, np.arange(300) % 3 == 0))
    case = Case(Task.load(tmp_path / "task", metric=metric), tmp_path)
    assert re.search(message, case.grade(with_cell(case.answers, 0, "label", value)).problem)
    assert case.grade(case.answers).score == 0.0


def test_class_columns_are_matched_by_name(tmp_path: Path) -> None:
    frame = make_rows(300).assign(label=np.random.default_rng(1).choice(["ant", "bee", "cat"], 300))
    folder = tmp_path / "task"
    folder.mkdir()
    train, test = divide(frame, np.arange(300) % 3 == 0)
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(bee=0.2, ant=0.5, cat=0.3).to_csv(folder / "sample_submission.csv", index=False)
    case = Case(Task.load(folder, metric="log_loss", target="label"), tmp_path)
    chance = pd.get_dummies(case.answers["label"]).astype(float) * 0.9 + 0.05
    grade = case.grade(pd.concat([case.answers[["id"]], chance], axis=1))
    assert grade.score == pytest.approx(-np.log(0.95 / 1.05))
    partly = case.grade(case.answers[["id"]].assign(ant=0.3, bee=0.2, cat=0.5))
    assert partly.score is not None


def test_resampling_units_widen_the_standard_error(tmp_path: Path) -> None:
    frame = make_rows(600)
    groups = np.repeat(np.arange(60), 10)
    frame.insert(1, "patient", [f"P{group}" for group in groups])
    (tmp_path / "task").mkdir()
    case = Case(make_task(tmp_path / "task", *divide(frame, groups % 3 == 0)), tmp_path)
    wrong = case.holdout.units % 2 == 0
    flipped = case.answers["label"].where(~wrong, case.answers["label"].map({"no": "yes", "yes": "no"}))
    grade = case.grade(case.answers.assign(label=flipped))
    assert grade.standard_error is not None
    assert grade.standard_error > 2 * 0.5 / np.sqrt(len(wrong))


def test_the_better_submission_has_a_positive_difference_in_either_direction(tmp_path: Path) -> None:
    case = values(tmp_path)
    right = case.submit(case.answers, "right.csv")
    rough = case.submit(case.answers.assign(label=case.answers["label"].astype(float) * 1.5), "rough.csv")
    comparison = case.grader.compare(right, rough)
    assert comparison.difference > 0
    assert comparison.probability_better == 1.0
    assert case.grader.compare(rough, right).difference == -comparison.difference


def test_equal_submissions_have_even_chances(tmp_path: Path) -> None:
    case = labels(tmp_path)
    one = case.submit(case.answers)
    comparison = case.grader.compare(one, one)
    assert (comparison.difference, comparison.standard_error, comparison.probability_better) == (0.0, 0.0, 0.5)


def test_an_invalid_submission_cannot_be_compared(tmp_path: Path) -> None:
    case = labels(tmp_path)
    with pytest.raises(ValueError, match="no submission was written"):
        case.grader.compare(tmp_path / "none.csv", case.submit(case.answers))


def test_the_real_submission_is_checked_by_the_same_rules(tmp_path: Path) -> None:
    case = labels(tmp_path)
    test = pd.read_csv(case.task.input / "test.csv")
    rows = test[["id"]].assign(label=np.where(test["rank"] > 20, "yes", "no"))
    assert check_submission(case.task, case.submit(rows)) == ""
    assert "row 3" in check_submission(case.task, case.submit(with_cell(rows, 2, "label", "maybe")))
    assert "rows" in check_submission(case.task, case.submit(case.answers))


@pytest.mark.parametrize(("cell", "status"), [("secret-yes", "graded"), ("secret-maybe", "rejected")])
def test_the_log_has_the_decisions_and_no_cells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cell: str, status: str
) -> None:
    caplog.set_level("DEBUG", "mlestar")
    folder = tmp_path / "task"
    folder.mkdir()
    frame = make_rows(300).replace({"label": {"yes": "secret-yes", "no": "secret-no"}})
    frame["colour"] = "secret-" + frame["colour"]
    train, test = divide(frame, np.arange(300) % 3 == 0)
    train[["id", "label"]].to_csv(folder / "extra.csv", index=False)
    task = make_task(folder, train, test, train="train.csv")
    case = Case(task, tmp_path)
    stage(task, case.holdout, tmp_path / "input")
    case.grade(with_cell(case.answers, 0, "label", cell))
    for words in (
        "target: label",
        "metric: accuracy",
        "split: stratified",
        "withheld",
        "auxiliary files: 1 cut",
        status,
    ):
        assert words in caplog.text
    assert "secret" not in caplog.text


def test_rows_are_matched_by_order_without_an_id(tmp_path: Path) -> None:
    (tmp_path / "task").mkdir()
    train, test = divide(make_rows(300), np.arange(300) % 3 == 0)
    train.drop(columns="id").to_csv(tmp_path / "task/train.csv", index=False)
    test.drop(columns="id").to_csv(tmp_path / "task/test.csv", index=False)
    task = Task.load(tmp_path / "task", metric="accuracy", target="label")
    holdout = search_holdout(task, infer_split(task), seed=1)
    train[["label"]].iloc[holdout.withheld].to_csv(tmp_path / "submission.csv", index=False)
    assert Grader(task, holdout).grade(tmp_path / "submission.csv").score == 1.0
