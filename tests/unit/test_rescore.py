"""Which solutions are rescored."""

import pytest

from mlestar.nodes.rescore import choose_finalists, error_of_mean, ranked_scripts
from mlestar.state import Solution, Verdict


def solution(identity: str) -> Solution:
    origin = "ensemble" if identity.startswith("e") else "refinement"
    verdict = Verdict(status="ok", holdout=0.5)
    return Solution(id=identity, origin=origin, track=0, title=identity, script=identity, verdict=verdict)


@pytest.mark.parametrize(
    ("ranked", "count", "chosen"),
    [
        ("s1 s2 s3 e1 e2", 3, "s1 s2 e1"),
        ("e1 e2 e3 s1 s2", 3, "e1 e2 s1"),
        ("s1 e1 s2 s3", 3, "s1 e1 s2"),
        ("s1 s2 e1", 2, "s1 e1"),
        ("s1 s2 e1", 1, "s1"),
        ("s1 s2 s3", 2, "s1 s2"),
        ("e1", 3, "e1"),
        ("", 3, ""),
    ],
)
def test_the_best_of_each_kind_is_a_finalist(ranked: str, count: int, chosen: str) -> None:
    finalists = choose_finalists([solution(name) for name in ranked.split()], count)
    assert [finalist.id for finalist in finalists] == chosen.split()


def test_equal_scores_keep_the_order_of_ids_and_each_script_is_ranked_once() -> None:
    first, second = solution("t0.c1"), solution("t0.c2")
    copy = solution("t1.c1").model_copy(update={"script": first.script})
    ranked = ranked_scripts({"solutions": {one.id: one for one in (copy, second, first)}}, "maximize")
    assert [one.id for one in ranked] == ["t0.c1", "t0.c2"]


def test_the_error_of_the_mean_covers_scores_that_differ_more_than_their_errors_explain() -> None:
    assert error_of_mean([0.7], [0.02]) == pytest.approx(0.02)
    assert error_of_mean([0.70, 0.71], [0.03, 0.04]) == pytest.approx(0.025)
    assert error_of_mean([0.5, 0.7], [0.03, 0.04]) == pytest.approx(0.1)
