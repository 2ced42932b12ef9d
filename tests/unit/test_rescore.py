"""Which solutions are rescored."""

import pytest

from mlestar.nodes.finalists import choose_finalists, error_of_mean, order_finalists, ranked_scripts
from mlestar.state import BlendMember, Rescoring, Solution, Verdict


def solution(identity: str) -> Solution:
    origin = "ensemble" if identity.startswith(("e", "blend")) else "refinement"
    members = (BlendMember(solution="s1", script="s1", weight=1.0),) if identity == "blend" else ()
    verdict = Verdict(status="ok", holdout=0.5)
    return Solution(
        id=identity, origin=origin, track=0, title=identity, script=identity, verdict=verdict, members=members
    )


@pytest.mark.parametrize(
    ("ranked", "count", "chosen"),
    [
        ("s1 s2 s3 e1 e2", 3, "s1 s2 e1"),
        ("e1 e2 e3 s1 s2", 3, "e1 e2 s1"),
        ("s1 e1 s2 s3", 3, "s1 e1 s2"),
        ("s1 s2 e1", 2, "s1 e1"),
        ("s1 s2 e1", 1, "s1"),
        ("s1 s2 s3", 2, "s1 s2"),
        ("s1 e1 s2 e2 blend", 3, "s1 e1 blend"),
        ("e1 e2 s1 s2 blend", 4, "e1 e2 s1 blend"),
        ("s1 e1 blend s2", 2, "s1 blend"),
        ("s1 blend", 1, "blend"),
        ("e1", 3, "e1"),
        ("", 3, ""),
    ],
)
def test_the_best_of_each_kind_is_a_finalist(ranked: str, count: int, chosen: str) -> None:
    finalists = choose_finalists([solution(name) for name in ranked.split()], count)
    assert [finalist.id for finalist in finalists] == chosen.split()


def test_a_title_that_begins_with_the_id_is_shown_without_it() -> None:
    blend = solution("blend").model_copy(update={"title": "blend of s1 0.5, s2 0.5"})
    assert blend.full_name == "blend of s1 0.5, s2 0.5"
    assert solution("s1").model_copy(update={"title": "s1b trees"}).full_name == "s1 s1b trees"


def test_equal_scores_keep_the_order_of_ids_and_each_script_is_ranked_once() -> None:
    first, second = solution("t0.c1"), solution("t0.c2")
    copy = solution("t1.c1").model_copy(update={"script": first.script})
    ranked = ranked_scripts({"solutions": {one.id: one for one in (copy, second, first)}}, "maximize")
    assert [one.id for one in ranked] == ["t0.c1", "t0.c2"]


def test_the_error_of_the_mean_covers_scores_that_differ_more_than_their_errors_explain() -> None:
    assert error_of_mean([0.7], [0.02]) == pytest.approx(0.02)
    assert error_of_mean([0.70, 0.71], [0.03, 0.04]) == pytest.approx(0.025)
    assert error_of_mean([0.5, 0.7], [0.03, 0.04]) == pytest.approx(0.1)


def scored(identity: str, holdout: float, error: float = 0.02) -> Solution:
    verdict = Verdict(status="ok", holdout=holdout, holdout_se=error)
    return solution(identity).model_copy(update={"verdict": verdict})


def order(holdout: dict[str, float], fresh: dict[str, float], *, blind: bool = True, error: float = 0.02) -> list[str]:
    solutions = [scored(name, score) for name, score in holdout.items()]
    rescorings = {
        name: Rescoring(solution=name, fresh=score, fresh_se=error, blind=blind) for name, score in fresh.items()
    }
    return order_finalists("maximize", solutions, rescorings)


def test_fresh_rows_and_holdout_together_pick_the_winner() -> None:
    assert order({"a": 0.84, "b": 0.80, "c": 0.79}, {"a": 0.80, "b": 0.82}) == ["a", "b", "c"]
    assert order({"a": 0.81, "b": 0.80, "c": 0.79}, {"a": 0.80, "b": 0.82}) == ["b", "a", "c"]


def test_the_more_certain_score_counts_more() -> None:
    scores = {"a": 0.84, "b": 0.80}, {"a": 0.80, "b": 0.83}
    assert order(*scores, error=0.01) == ["b", "a"]
    assert order(*scores, error=0.04) == ["a", "b"]


def test_fresh_rows_alone_pick_the_winner_where_a_holdout_score_is_too_good() -> None:
    assert order({"copied": 1.0, "a": 0.82, "b": 0.80}, {"copied": 0.7, "a": 0.79, "b": 0.80}) == ["b", "a", "copied"]


def test_fresh_rows_that_the_search_had_pick_the_winner_alone() -> None:
    assert order({"a": 0.84, "b": 0.80}, {"a": 0.80, "b": 0.82}, blind=False) == ["b", "a"]


def test_finalists_that_failed_on_fresh_rows_come_last() -> None:
    solutions = [scored("a", 0.9), scored("b", 0.8), scored("c", 0.7)]
    rescorings = {"a": Rescoring(solution="a", failed=True), "b": Rescoring(solution="b", fresh=0.6, fresh_se=0.1)}
    assert order_finalists("maximize", solutions, rescorings) == ["b", "c", "a"]


def test_without_fresh_scores_a_blend_that_was_confirmed_comes_first() -> None:
    solutions = [scored("s1", 0.9), scored("blend", 0.89), scored("s2", 0.8)]
    assert order_finalists("maximize", solutions, {}) == ["blend", "s1", "s2"]
    skipped = {name: Rescoring(solution=name, message="no fresh rows") for name in ("s1", "blend")}
    assert order_finalists("maximize", solutions, skipped) == ["blend", "s1", "s2"]
    failed = {"blend": Rescoring(solution="blend", failed=True)}
    assert order_finalists("maximize", solutions, failed) == ["s1", "s2", "blend"]


def test_where_less_is_better_a_holdout_score_is_too_good_when_it_is_lower() -> None:
    solutions = [scored("copied", 0.0), scored("a", 0.5)]
    rescorings = {
        name: Rescoring(solution=name, fresh=score, fresh_se=0.02, blind=True)
        for name, score in {"copied": 0.6, "a": 0.5}.items()
    }
    assert order_finalists("minimize", solutions, rescorings) == ["a", "copied"]
