"""What noise alone gives on a task: shuffled labels, a task without information, models in a known order."""

import pytest

from mlestar.bench.reliability import (
    describe_reliability,
    is_in_order,
    noise_limit,
)
from mlestar.bench.rows import BenchRow, Graded, Reliability


def row(tool: str, score: float) -> BenchRow:
    return BenchRow(task="grades", tool=tool, seed=0, status="graded", graded=Graded(score=score))


@pytest.mark.parametrize(
    ("direction", "constant", "limit"),
    [("maximize", 0.7, 0.7 + 0.2), ("maximize", 0.1, 0.5 + 0.2), ("minimize", 0.2, 0.2 - 0.2)],
    ids=["constant", "shuffled", "minimize"],
)
def test_the_limit_is_two_deviations_beyond_the_best_without_information(
    direction: str, constant: float, limit: float
) -> None:
    fields = {"task": "grades", "direction": direction, "shuffled": (0.3, 0.4, 0.5), "constant": constant}
    assert noise_limit(Reliability.model_validate(fields)) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("scores", "factor", "answer"),
    [
        ((0.1, 0.2, 0.3), 1, True),
        ((0.1, 0.2, 0.3), -1, False),
        ((0.1, 0.1, 0.3), 1, False),
        ((0.1, None, 0.3), 1, None),
    ],
)
def test_the_order_of_models(scores: tuple[float | None, ...], factor: int, answer: bool | None) -> None:
    assert is_in_order(scores, factor) is answer


def test_the_lines_name_tools_that_are_no_better_than_chance() -> None:
    measured = Reliability(
        task="grades", shuffled=(0.48, 0.5, 0.52), constant=0.5, naive=0.6, careful=0.7, in_order=True
    )
    summary, line = describe_reliability([measured], [row("good", 0.7), row("lucky", 0.55)])
    assert "on 1 of 1 tasks; 1 of 2 scores are better than chance" in summary
    assert "shuffled labels give 0.48 to 0.52 (3 shuffles), the best constant 0.5" in line
    assert line.endswith("no better than chance: lucky.")


def test_what_is_not_known_is_said() -> None:
    measured = Reliability(task="grades", reason="rows are sounds in files")
    assert "rows are sounds in files" in describe_reliability([measured], [])[1]
