"""Leaderboard, lineage and differences of a result: made by hand, and of a whole run."""

import asyncio
import json
from pathlib import Path

import pytest

from mlestar.errors import UserError
from mlestar.metrics.spec import Direction
from mlestar.report import Result
from mlestar.report.lineage import describe_gain, tree
from tests.unit.read_runs import make_result, row, write_run
from tests.unit.scenario import FULL, SMALL, Scenario, solve


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run with merges, refinements and ensembles."""
    return asyncio.run(solve(tmp_path_factory.mktemp("full"), Scenario(), FULL))


@pytest.mark.parametrize(("direction", "order"), [("maximize", "cabd"), ("minimize", "acbd")])
def test_finalists_come_first_then_others_by_their_score_then_failures(direction: Direction, order: str) -> None:
    result = make_result(
        row("a", 0.7, fresh=0.6), row("b", 0.9), row("c", 0.8, fresh=0.7), row("d"), direction=direction
    )
    assert "".join(result.leaderboard().index) == order


def test_of_rows_kept_apart_fresh_and_holdout_choose_together() -> None:
    result = make_result(row("a", 0.80, fresh=0.84, blind=True), row("b", 0.84, fresh=0.82, blind=True))
    board = result.leaderboard()
    assert list(board.index) == ["b", "a"]
    assert board["score"].round(3).tolist() == [0.83, 0.82]
    assert board["score_se"].round(4).tolist() == [0.0141, 0.0141]
    assert set(board["rows"]) == {"fresh and holdout"}
    assert board["winner"].tolist() == [False, True]


def test_a_holdout_score_that_is_too_good_does_not_choose() -> None:
    result = make_result(row("a", 0.80, fresh=0.84, blind=True), row("b", 0.99, fresh=0.82, blind=True))
    assert list(result.leaderboard().index) == ["a", "b"]


def test_without_withheld_rows_the_reported_score_chooses() -> None:
    claimed = [row(name, 0.0, score={"reported": score}) for name, score in (("a", 0.5), ("b", 0.6))]
    board = make_result(*claimed).leaderboard()
    assert list(board.index) == ["b", "a"]
    assert set(board["rows"]) == {"reported"}
    assert make_result().leaderboard().empty


def test_the_lineage_of_a_run_leads_from_a_candidate_to_the_winner(full: Result) -> None:
    steps = full.lineage()
    assert [step.origin for step in steps] == ["candidate", "merge", "refinement", "ensemble"]
    assert steps[-1].id == full.winner
    assert steps[-1].combines == ("t0.r1.2", "t1.r1.2")
    assert steps[2].plan.startswith("Plan number 2")
    assert full.lineage("t1.m1")[-1].combines == (
        full.solution_row("t1.m1").parent,
        full.lineage("t1.m1")[-1].combines[1],
    )
    assert str(steps).count("\n") == 3


def test_each_solution_has_its_paired_gain_over_what_it_was_made_from(full: Result) -> None:
    refined = full.solution_row("t0.r1.2")
    parent = full.solution_row(refined.parent or "")
    assert refined.compared == parent.id
    assert refined.gain == pytest.approx((refined.score.holdout or 0) - (parent.score.holdout or 0), abs=2e-3)
    unpaired = ((refined.score.holdout_se or 0) ** 2 + (parent.score.holdout_se or 0) ** 2) ** 0.5
    assert 0 < (refined.gain_se or 0) < unpaired
    assert all(one.gain is not None for one in full.solutions if one.origin in ("merge", "refinement", "ensemble"))
    assert all(one.gain is None for one in full.solutions if one.origin == "candidate")


def test_the_tree_has_every_solution_once(full: Result) -> None:
    branches = tree(full)
    assert sorted(branch.row.id for branch in branches) == sorted(one.id for one in full.solutions)
    assert any(branch.indent == "  │ └ " for branch in branches)


def test_a_circle_of_parents_ends() -> None:
    result = make_result(
        row("a", 0.5, parent="b"), row("b", 0.5, parent="a"), row("c", 0.5, parent="c"), row("d", 0.5, parent="gone")
    )
    assert sorted(branch.row.id for branch in tree(result)) == ["a", "b", "c", "d"]
    assert [step.id for step in result.lineage("a")] == ["b", "a"]
    assert [step.id for step in result.lineage("c")] == ["c"]


@pytest.mark.parametrize(
    ("gain", "error", "words"),
    [
        (0.10, 0.02, "better than a by 0.100 ± 0.020"),
        (-0.10, 0.02, "worse than a by 0.100 ± 0.020"),
        (0.03, 0.02, "+0.030 ± 0.020 against a, within its error"),
        (0.0, 0.0, "0 against a, within its error"),
        (None, None, ""),
    ],
)
def test_only_a_gain_beyond_its_error_is_called_one(gain: float | None, error: float | None, words: str) -> None:
    assert describe_gain(row("b", 0.5, compared="a", gain=gain, gain_se=error)) == words


def test_the_difference_of_two_scripts(full: Result) -> None:
    refined = full.diff("parent", "t0.r1.2")
    assert "+    # quality 0.9" in refined.splitlines()
    assert refined == full.diff(full.solution_row("t0.r1.2").parent or "", "t0.r1.2")
    assert full.diff("winner", "winner") == ""
    assert full.diff() == full.diff("parent", "winner")
    assert full.diff("winner", "parent").splitlines()[0].startswith(f"--- {full.winner} ")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("t0.r1.9", "winner"), "has no solution 't0.r1.9': did you mean"),
        (("start", "winner"), "was not started from a script: it has t0.c1"),
        (("parent", "t0.c1"), "t0.c1 of run run was made from no other solution"),
        (("parent", "parent"), "name the solution whose parent is meant"),
        (("zebra", "winner"), "has no solution 'zebra': it has t0.c1, t0.c2"),
    ],
)
def test_a_name_that_means_no_solution_is_a_clear_error(names: tuple[str, str], message: str, full: Result) -> None:
    with pytest.raises(UserError, match=message):
        full.diff(*names)


def test_a_solution_without_a_script_and_one_outside_of_the_run_are_errors(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("secret", encoding="utf-8")
    result = write_run(
        tmp_path, "run", row("a", 0.5), row("b", 0.5, script="../secret.py"), row("c", message="no reply")
    )
    with pytest.raises(UserError, match="c of run run has no script: no reply"):
        result.diff("c", "a")
    with pytest.raises(UserError, match=r"has no file secret\.py of its own"):
        result.diff("b", "b")


def test_results_of_versions_that_had_no_gains_are_read(full: Result, tmp_path: Path) -> None:
    values = json.loads(full.model_dump_json())
    for one in values["solutions"]:
        for name in ("gain", "gain_se", "compared", "combines"):
            del one[name]
    (tmp_path / "result.json").write_text(json.dumps(values), encoding="utf-8")
    old = Result.read(tmp_path / "result.json")
    assert list(old.leaderboard().index) == list(full.leaderboard().index)
    assert [step.id for step in old.lineage("t0.r1.2")] == [step.id for step in full.lineage("t0.r1.2")]


def test_while_scripts_can_follow_gains_are_those_that_agents_saw(tmp_path: Path) -> None:
    result = asyncio.run(solve(tmp_path, Scenario(), {**SMALL, "review": ["submission"]}))
    assert result.status == "paused"
    assert result.solution_row("t0.m1").gain is None
    assert result.solution_row("t0.m1").compared == result.solution_row("t0.m1").parent
    assert result.solution_row("t0.r1.2").gain == pytest.approx(0.16)
