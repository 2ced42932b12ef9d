"""What an ensemble combines."""

from pathlib import Path

import pytest

from mlestar.metrics.spec import Direction
from mlestar.nodes.ensemble import choose_members
from mlestar.state import Solution, Verdict
from tests.unit.scenario import Scenario, fence, script, solve


def solution(identity: str, script: str, score: float) -> Solution:
    return Solution(
        id=identity,
        origin="candidate",
        track=int(identity[1]),
        title=identity,
        script=script,
        verdict=Verdict(status="ok", holdout=score),
    )


FIRST, SAME, NEXT, WORST = (
    solution("t0.c1", "a", 0.9),
    solution("t1.c4", "a", 0.9),
    solution("t1.c2", "b", 0.8),
    solution("t1.c1", "c", 0.7),
)


@pytest.mark.parametrize(("direction", "expected"), [("maximize", NEXT), ("minimize", WORST)])
def test_a_script_that_two_tracks_ended_with_is_combined_with_the_next_best(
    direction: Direction, expected: Solution
) -> None:
    members = choose_members({"0": FIRST, "1": SAME}, [WORST, NEXT, SAME, FIRST], direction)
    assert members == [FIRST, expected]


def test_different_bests_are_combined_as_they_are() -> None:
    assert choose_members({"0": FIRST, "1": WORST}, [WORST, NEXT, SAME, FIRST], "maximize") == [FIRST, WORST]


def test_a_track_without_another_script_brings_none() -> None:
    assert choose_members({"0": FIRST, "1": SAME}, [SAME, FIRST], "maximize") == [FIRST]


async def test_one_script_of_two_tracks_is_not_combined_with_itself(tmp_path: Path) -> None:
    same = fence(script(0.7, "same").replace("# track {track}\n", "# track 0\n"))
    scenario = Scenario(initializer=same)
    result = await solve(tmp_path, scenario, retrieved_models=1, outer_steps=0, tracks=2, ensemble_rounds=2)
    assert result.status == "solved"
    assert "ensemble_planner" not in scenario.asked
