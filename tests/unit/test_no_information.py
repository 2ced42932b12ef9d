"""Generated tasks in which nothing can be learnt, and whether scores on them are within what noise gives."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar.bench.find import Suite, add_no_information
from mlestar.bench.honesty import honesty_lines
from mlestar.bench.no_information import write_no_information
from mlestar.bench.reliability import noise_range, reliability_lines
from mlestar.bench.rows import Bench, BenchRow, Conditions, Reliability, TaskRow
from mlestar.bench.within_noise import no_information_lines
from mlestar.data.task import Task
from tests.unit.compared_rows import scored_row

# The standard deviation of the shuffled scores is 0.01.
NOISE = Reliability(task="noise", shuffled=(0.49, 0.5, 0.51), constant=0.5)


def make_bench(*rows: BenchRow, noise: Reliability = NOISE) -> Bench:
    tasks = (TaskRow(id="noise", no_information=True), TaskRow(id="other"))
    other = Reliability(task="other", shuffled=(0.1, 0.2), constant=0.1, in_order=True)
    return Bench(suite="suite", conditions=Conditions(), tasks=tasks, rows=rows, reliability=(noise, other))


def tool_line(*rows: BenchRow, noise: Reliability = NOISE) -> str:
    _, line = no_information_lines(make_bench(*rows, noise=noise))
    return line


@pytest.mark.parametrize(("score", "within"), [(0.531, False), (0.529, True), (0.471, True), (0.469, False)])
def test_noise_gives_two_deviations_beyond_the_lowest_and_the_highest(score: float, within: bool) -> None:
    line = tool_line(scored_row("noise", score, error=0.02))
    assert f"tool is within what noise gives: graded in {within:d} of 1 rows." in line
    assert ("Outside" in line) is not within


def test_a_score_on_other_rows_has_the_error_of_the_difference() -> None:
    # With errors of 0.03 and 0.04 noise gives up to 0.51 + 2 * 0.05.
    row = scored_row("noise", 0.5, error=0.03, holdout=0.609, holdout_se=0.04, fresh=0.611, fresh_se=0.04)
    line = tool_line(row)
    assert "graded in 1 of 1 rows, holdout in 1 of 1 rows, fresh in 0 of 1 rows." in line
    assert line.endswith("Outside: noise (seed 0) fresh 0.611 ± 0.040, better than 0.39 to 0.61.")


@pytest.mark.parametrize(
    ("direction", "score", "comparison"),
    [("maximize", 0.6, "better"), ("maximize", 0.4, "worse"), ("minimize", 0.6, "worse"), ("minimize", 0.4, "better")],
)
def test_a_score_outside_is_better_or_worse(direction: Any, score: float, comparison: str) -> None:
    noise = NOISE.model_copy(update={"direction": direction})
    line = tool_line(scored_row("noise", score, error=0.02, direction=direction), noise=noise)
    assert line.endswith(f"graded {score:.3f} ± 0.020, {comparison} than 0.47 to 0.53.")


def test_every_tool_and_seed_is_counted_but_scores_without_an_error_or_of_unavailable_tools_are_not() -> None:
    rows = [scored_row("noise", 0.5, error=0.02, seed=seed) for seed in range(3)]
    rows += [scored_row("noise", 0.9, error=0.02, seed=3, holdout=0.9), scored_row("noise", None, seed=4)]
    rows += [scored_row("noise", None, tool="absent", status="unavailable"), scored_row("other", 0.9, error=0.02)]
    assert tool_line(*rows).startswith(
        "Tasks without information: tool is within what noise gives: graded in 3 of 4 rows. Outside: noise (seed 3)"
    )


def test_the_range_of_each_task_is_stated_and_why_it_is_not_known() -> None:
    assert no_information_lines(make_bench()) == ("Tasks without information: noise gives 0.47 to 0.53 on noise.",)
    unknown = Reliability(task="noise", reason="killed after 3 s")
    ranges, line = no_information_lines(make_bench(scored_row("noise", 0.5), noise=unknown))
    assert ranges.endswith("noise gives an unknown range on noise (killed after 3 s).")
    assert line.endswith("tool is within what noise gives: not known.")


def test_without_such_tasks_there_is_no_line() -> None:
    bench = make_bench(scored_row("other", 0.5))
    assert no_information_lines(bench.model_copy(update={"tasks": (TaskRow(id="other"),)})) == ()


def test_other_lines_leave_these_tasks_out() -> None:
    row = scored_row("noise", 0.5, error=0.03, holdout=0.9, holdout_se=0.04, fresh=0.9, fresh_se=0.04)
    bench = make_bench(row)
    assert honesty_lines(bench) == ()
    summary, line = reliability_lines(bench)
    assert "on 1 of 1 tasks; 0 of 0 scores" in summary
    assert line.startswith("other: ")


def test_the_tasks_say_what_to_predict_and_their_features_nothing_of_it(tmp_path: Path) -> None:
    ids = write_no_information(tmp_path)
    specs = [Task.load(tmp_path / "tasks" / name).spec for name in ids]
    assert [(spec.metric, spec.target, spec.id) for spec in specs] == [
        *[("auroc", ("churn",), "id")] * 2,
        *[("rmse", ("spent",), "id")] * 2,
        ("accuracy", ("topic",), "id"),
    ]
    for name, spec in zip(ids, specs, strict=True):
        train = pd.read_csv(tmp_path / "tasks" / name / "input" / "train.csv")
        labels = pd.get_dummies(train[spec.target[0]]) if spec.metric == "accuracy" else train[[spec.target[0]]]
        numbers = train.drop(columns=[*spec.target, "id"]).apply(numeric)
        for column in labels:
            # Four standard errors of a correlation of independent columns.
            assert numbers.corrwith(labels[column]).abs().max() < 4 / len(train) ** 0.5


def numeric(column: pd.Series) -> pd.Series:
    """Return a column as numbers: the length of texts, the number of a region."""
    if column.name == "region":
        return column.str[1:].astype(int)
    return column.str.len() if column.dtype == object or column.dtype == "str" else column


def test_tasks_of_a_kind_differ_and_are_the_same_every_time(tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    ids = write_no_information(one)
    assert ids == write_no_information(two)
    files = [path for path in one.rglob("*") if path.is_file()]
    assert all(path.read_bytes() == (two / path.relative_to(one)).read_bytes() for path in files)
    trains = [(one / "tasks" / name / "input" / "train.csv").read_bytes() for name in ids]
    assert len(set(trains)) == len(ids)


def test_they_are_added_to_a_suite_with_their_answers(tmp_path: Path) -> None:
    suite = add_no_information(Suite("suite", (), ()), tmp_path)
    assert all(task.no_information for task in suite.tasks)
    assert [row.id for row in suite.rows if row.no_information] == [task.id for task in suite.tasks]
    for task in suite.tasks:
        answers = pd.read_csv(tmp_path / "answers" / task.id / "answers.csv")
        if task.answers.metric == "auroc":
            answers["churn"] = 0.1 + 0.8 * answers["churn"]
        answers.to_csv(tmp_path / "submission.csv", index=False)
        graded = task.answers.grade(tmp_path / "submission.csv")
        assert graded.score == (0.0 if task.answers.metric == "rmse" else 1.0), graded.problem


def test_a_range_needs_two_shuffles() -> None:
    assert noise_range(NOISE.model_copy(update={"shuffled": (0.5,)})) is None
    assert noise_range(NOISE.model_copy(update={"constant": None})) == pytest.approx((0.47, 0.53))
