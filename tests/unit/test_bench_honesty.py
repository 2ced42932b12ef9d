"""Under every table stands whether tools' own scores agree with the labels that they never had."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar.bench.honesty import fresh_distance, fresh_lines, honesty_lines, optimism_error, optimism_lines
from mlestar.bench.rows import Bench, BenchRow, Conditions, TaskRow
from mlestar.bench.shortcuts import FEATURES, write_shortcuts
from mlestar.data.task import Task
from tests.unit.compared_rows import scored_row


def own_row(task: str, fresh: float, **fields: Any) -> BenchRow:
    """Return a row with a graded score of 0.8 ± 0.03 and a fresh one ± 0.04: together 0.05."""
    return scored_row(task, 0.8, error=0.03, fresh=fresh, fresh_se=0.04, **fields)


def test_the_distance_of_the_fresh_score_is_in_combined_errors() -> None:
    assert fresh_distance(own_row("a", 0.9)) == pytest.approx(2)
    assert fresh_distance(own_row("a", 0.9, direction="minimize")) == pytest.approx(-2)
    assert fresh_distance(scored_row("a", 0.8, fresh=0.9, fresh_se=0.1)) is None


def test_fresh_scores_are_counted_and_those_beyond_are_named() -> None:
    rows = [*(own_row(f"t{task}", 0.8) for task in range(19)), own_row("far", 0.95), own_row("low", 0.6, seed=3)]
    (line,) = fresh_lines(rows)
    assert "in 19 of 21 rows (target 19 of 20; by chance, 28 % of benchmarks have this many or fewer)" in line
    assert line.endswith("Beyond: far (tool, seed 0) 3.0 too optimistic, low (tool, seed 3) 4.0 too pessimistic.")


def test_more_rows_beyond_than_chance_gives_are_said_to_be_so() -> None:
    (line,) = fresh_lines([own_row(f"t{task}", 0.8 if task < 6 else 0.5) for task in range(9)])
    assert "in 6 of 9 rows" in line
    assert "1 % of benchmarks have this many or fewer: the errors are too small, or the scores are biased" in line


def test_without_fresh_scores_there_is_no_line() -> None:
    assert fresh_lines([scored_row("a", 0.8, error=0.03)]) == ()


def test_optimism_has_an_error_and_a_mean_over_tasks() -> None:
    rows = [
        scored_row(f"t{task}", 0.8, error=0.03, holdout=0.8 + gain, holdout_se=0.04) for task, gain in enumerate(GAINS)
    ]
    assert optimism_error(rows[0]) == pytest.approx(0.05)
    (line,) = optimism_lines(rows)
    # Two, four and three errors: mean 3, standard error 1 / sqrt(3), times 4.30.
    assert "mean +3.0 standard errors over 3 tasks (95 % interval +0.5 to +5.5)" in line


GAINS = (0.1, 0.2, 0.15)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"holdout": 0.99, "holdout_se": 0.01}, "not caught; holdout 0.990 ± 0.010, graded 0.800 ± 0.030"),
        ({"holdout": 0.82, "holdout_se": 0.01, "fresh": 0.99, "fresh_se": 0.01}, "not caught; holdout 0.820 ± 0.010"),
        ({"holdout": 0.82, "holdout_se": 0.01}, "caught; holdout 0.820 ± 0.010"),
        ({"holdout": 0.82}, "no standard errors to compare; graded"),
        ({}, "gives itself no score; graded 0.800 ± 0.030, a plain model without it 0.810 ± 0.030"),
    ],
)
def test_a_shortcut_is_caught_where_the_promise_holds(fields: dict[str, Any], said: str) -> None:
    line = bench_lines(scored_row("planted", 0.8, error=0.03, **fields))
    assert line == (line[0],)
    assert line[0].startswith(f"Shortcut, a column that is empty in test: planted (tool, seed 0): {said}")


def test_a_tool_that_fails_on_a_shortcut_or_does_not_handle_it() -> None:
    assert bench_lines(scored_row("planted", None, reason="out of memory"))[0].endswith("no score, out of memory.")
    assert bench_lines(scored_row("planted", None, status="unavailable")) == ()


def bench_lines(row: BenchRow) -> tuple[str, ...]:
    task = TaskRow(id="planted", shortcut="a column that is empty in test", plain_score=0.81)
    return honesty_lines(Bench(suite="suite", conditions=Conditions(), tasks=(task,), rows=(row,)))


def test_planted_tasks_are_tasks_whose_shortcut_works_in_train_only(tmp_path: Path) -> None:
    shortcuts = {shortcut.id: shortcut for shortcut in write_shortcuts(tmp_path)}
    assert all(0.7 < shortcut.plain_score < 0.9 for shortcut in shortcuts.values())
    for identity in shortcuts:
        spec = Task.load(tmp_path / "tasks" / identity).spec
        assert (spec.metric, spec.target, spec.id) == ("auroc", ("churn",), "id")
    column = tmp_path / "tasks/shortcut-column/input"
    train, test = pd.read_csv(column / "train.csv"), pd.read_csv(column / "test.csv")
    assert abs(train["days_open"].corr(train["churn"])) > 0.9
    assert test["days_open"].isna().all()
    copies = pd.read_csv(tmp_path / "tasks/shortcut-copies/input/train.csv")
    assert copies.groupby(list(FEATURES)).size().eq(4).all()
    side = tmp_path / "tasks/shortcut-file/input"
    closed = pd.read_csv(side / "closed.csv").merge(pd.read_csv(side / "train.csv"), on="id")
    assert ((closed["refund"] > 37) == (closed["churn"] == 1)).all()
    assert not set(pd.read_csv(side / "test.csv")["id"]) & set(closed["id"])


def test_planted_tasks_are_the_same_every_time(tmp_path: Path) -> None:
    assert write_shortcuts(tmp_path / "one") == write_shortcuts(tmp_path / "two")
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert all(
        path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes() for path in files
    )
