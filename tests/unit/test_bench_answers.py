"""Answers of a benchmark: no tool can see them, and whatever is wrong with them or with a grader is said."""

import os
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlestar.bench.answers import TableAnswers
from mlestar.bench.find import find_suite
from mlestar.bench.grading_program import ProgramAnswers
from mlestar.bench.rows import Graded
from mlestar.bench.run import BenchFolder, run_bench
from mlestar.errors import UserError
from mlestar.metrics.spec import Direction
from tests.unit.bench_tools import CONDITIONS, RuleTool, ignore, run, skip_noise
from tests.unit.suites import write_suite


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "suite", ["a"])


def table(suite: Path) -> Path:
    return suite / "answers/a/answers.csv"


def problem(suite: Path) -> str:
    [row] = find_suite(suite).rows
    return row.problem


def link_to_folder(suite: Path) -> None:
    (suite / "tasks/a/.labels").symlink_to("../../answers/a")


def second_name(suite: Path) -> None:
    os.link(table(suite), suite / "tasks/a/other.csv")


def copied(suite: Path) -> None:
    shutil.copy(table(suite), suite / "tasks/a/.other.csv")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (link_to_folder, ".labels is a link to something outside the task folder"),
        (second_name, "other.csv is a file of the answers"),
        (copied, ".other.csv is a file of the answers"),
    ],
)
def test_a_task_whose_folder_has_its_answers_is_not_run(suite: Path, place: Callable[[Path], None], said: str) -> None:
    place(suite)
    assert said in problem(suite)


def test_answers_inside_the_task_folder_are_refused(suite: Path) -> None:
    shutil.copy(table(suite), suite / "tasks/a")
    [row] = find_suite(suite / "tasks", suite / "tasks").rows
    assert "the answers are inside the task folder" in row.problem


def test_files_that_task_and_answers_may_share_do_not_count(suite: Path) -> None:
    shutil.copy(suite / "tasks/a/sample_submission.csv", suite / "answers/a")
    (suite / "tasks/a/more.md").symlink_to("task.md")
    assert problem(suite) == ""


def test_a_name_that_is_no_text_is_a_problem_of_that_task(suite: Path) -> None:
    shutil.copytree(suite / "tasks/a", suite / os.fsdecode(b"tasks/b\xff"))
    bench = run(suite, suite / "out", RuleTool())
    assert [(row.id, row.problem) for row in bench.tasks] == [
        ("a", ""),
        ("b\\xff", "the name of its folder is not UTF-8: rename it"),
    ]


def test_folders_of_answers_and_benchmarks_are_no_tasks(suite: Path) -> None:
    (suite / "tasks/a").rename(suite / "a")
    (suite / "tasks").rmdir()
    run(suite, suite / "bench-suite", RuleTool())
    assert [row.id for row in find_suite(suite).rows] == ["a"]


def grade(suite: Path, labels: pd.DataFrame) -> float | None:
    labels.to_csv(suite / "submission.csv", index=False)
    return TableAnswers(suite / "answers/a", suite / "tasks/a").grade(suite / "submission.csv").score


def test_answers_in_another_order_are_matched_where_submissions_have_no_id(suite: Path) -> None:
    sample = suite / "tasks/a/sample_submission.csv"
    pd.read_csv(sample)[["label"]].to_csv(sample, index=False)
    truth = pd.read_csv(table(suite))
    truth.iloc[::-1].to_csv(table(suite), index=False)
    assert grade(suite, truth[["label"]]) == 1.0


def test_labels_in_another_spelling_than_in_train_are_the_same(suite: Path) -> None:
    train, truth = pd.read_csv(suite / "tasks/a/train.csv"), pd.read_csv(table(suite))
    spelling = {"yes": "007", "no": "008"}
    train.assign(label=train["label"].map(spelling)).to_csv(suite / "tasks/a/train.csv", index=False)
    sample = suite / "tasks/a/sample_submission.csv"
    pd.read_csv(sample).assign(label="007").to_csv(sample, index=False)
    labels = truth.assign(label=truth["label"].map(spelling))
    labels.assign(label=labels["label"].astype(int)).to_csv(table(suite), index=False)
    assert grade(suite, labels) == 1.0


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"yes": "yes", "no": ""}, "the answers have no label in"),
        ({"yes": "1", "no": "0"}, "no answer in 'label' is a label of train"),
    ],
)
def test_answers_that_no_submission_can_match_are_refused(suite: Path, labels: dict[str, str], said: str) -> None:
    truth = pd.read_csv(table(suite))
    truth.assign(label=truth["label"].map(labels)).to_csv(table(suite), index=False)
    assert said in problem(suite)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"metrics": "f1"}', "unknown field 'metrics': did you mean 'metric'?"),
        ('{"metric": "accuracy", "direction": "minimize"}', "direction is minimize, but accuracy is to maximize"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_grade_file_that_would_be_misread_is_refused(suite: Path, content: str, said: str) -> None:
    (suite / "answers/a/grade.json").write_text(content, encoding="utf-8")
    assert said in problem(suite)


def test_fields_of_other_programs_are_allowed(suite: Path) -> None:
    (suite / "answers/a/grade.json").write_text('{"author": "me", "weights": [1]}', encoding="utf-8")
    assert problem(suite) == ""


@pytest.mark.parametrize(
    ("code", "graded"),
    [
        ("sys.stdout.buffer.write(bytes([255, 254]))", Graded(problem="it printed no score")),
        ("print('[' * 200_000)", Graded(problem="it printed no score")),
        ("print('{\"score\": 1' + '0' * 400 + '}')", Graded(problem="it printed no finite score")),
        ("print('{\"score\": true}')", Graded(problem="it printed no score")),
        ("print('{\"score\": 0.5, \"standard_error\": 1' + '0' * 400 + '}')", Graded(score=0.5)),
        ('print(\'{"score": 0.5, "standard_error": -1}\')', Graded(score=0.5)),
        ('print(\'{"score": 0.5, "standard_error": "small"}\')', Graded(score=0.5)),
    ],
    ids=["bytes", "deep", "huge", "boolean", "huge-error", "negative-error", "text-error"],
)
def test_whatever_a_program_prints_is_a_grade(suite: Path, code: str, graded: Graded) -> None:
    (suite / "grade.py").write_text(textwrap.dedent(f"import sys\n{code}"), encoding="utf-8")
    answers = ProgramAnswers(str(suite / "grade.py"), suite / "answers/a", suite / "tasks/a")
    assert answers.grade(table(suite)) == graded


def test_a_program_that_does_not_end_is_a_problem(suite: Path) -> None:
    (suite / "grade.py").write_text("import time; time.sleep(600)", encoding="utf-8")
    answers = ProgramAnswers(str(suite / "grade.py"), suite / "answers/a", suite / "tasks/a", seconds=1)
    assert answers.grade(table(suite)).problem == "the grading program did not end in 1 s"


def test_a_program_cannot_grade_competitions(suite: Path) -> None:
    for name in ("public", "private"):
        (suite / "c/prepared" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="--grade does not grade"):
        find_suite(suite, grade="grade.py")


class Broken:
    """A grader with a defect."""

    metric = "accuracy"
    direction: Direction = "maximize"

    def grade(self, submission: Path) -> Graded:
        raise KeyError("column")

    def standing(self, score: float) -> None:
        """Return nothing."""


def test_a_submission_on_which_the_grader_fails_is_a_row(suite: Path) -> None:
    found = find_suite(suite)
    skip_noise(found, suite / "out")
    tasks = tuple(replace(task, answers=Broken()) for task in found.tasks)
    bench = run_bench(replace(found, tasks=tasks), [RuleTool()], CONDITIONS, BenchFolder(suite / "out"), show=ignore)
    assert [(row.status, row.reason) for row in bench.rows] == [("invalid", "it cannot be graded: KeyError: 'column'")]


def test_a_direction_of_a_metric_in_a_file_is_read(suite: Path) -> None:
    code = "def score(truth, predicted):\n    return float((truth != predicted).mean())\n"
    (suite / "tasks/a/metric.py").write_text(code, encoding="utf-8")
    content = '{"metric": "metric.py:score", "direction": "minimize"}'
    (suite / "answers/a/grade.json").write_text(content, encoding="utf-8")
    assert problem(suite) == ""
    assert grade(suite, pd.read_csv(table(suite))) == 0.0
