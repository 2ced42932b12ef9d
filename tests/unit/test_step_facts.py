"""What prompts contain of the state of the run: what scripts took, what is left, which errors were met."""

import json
import re
from pathlib import Path

import pytest

from mlestar.errors import ModelError
from mlestar.runtime.budget import Budget
from mlestar.runtime.facts import MAX_CONFIRMED, find_confirmed, note_failure, signature, step_facts
from mlestar.settings import Settings
from mlestar.state import VerdictStatus
from mlestar.store import Ledger
from tests.unit.scenario import SMALL, Scenario, fence, lose_connection, resume, script, solve


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("error", "error, exit status 1: KeyError: 'radius'", "KeyError: 'radius'"),
        ("error", "error, exit status 1: ValueError: 12 rows, 0x7f3a for 13.5", "ValueError: # rows, # for #"),
        ("error", "error, exit status 2: OSError: /tmp/work/a1/input/x.csv", "OSError: x.csv"),
        ("timeout", "it ran for 120 s", "timeout: it ran for # s"),
        ("invalid", "the column 'label' is missing", "invalid: the column 'label' is missing"),
    ],
)
def test_errors_of_one_cause_have_one_signature(status: VerdictStatus, message: str, expected: str) -> None:
    assert signature(status, message) == expected


async def test_what_a_step_knew_stays_the_same_whatever_happens_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    budget = Budget(Settings(max_executions=40), ledger)
    for number in range(3):
        await note_failure(ledger, f"script{number}", "error", f"error, exit status 1: KeyError: 'x{number}'")
    first = await step_facts(ledger, budget, "t0.r1.1")
    assert first.errors == ("KeyError: 'x#' (met 3 times)",)
    assert first.left["executions"] == "all of 29"
    await note_failure(ledger, "other", "timeout", "it ran for 120 s")
    later = Budget(Settings(max_executions=10), ledger)
    assert await step_facts(ledger, later, "t0.r1.1") == first
    assert "timeout: it ran for # s" in (await step_facts(ledger, later, "t0.r1.2")).errors
    ledger.close()


async def test_a_script_that_fails_again_is_one_failure(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for _ in range(2):
        await note_failure(ledger, "script", "error", "error, exit status 1: KeyError: 'x'")
    assert (await step_facts(ledger, Budget(Settings(), ledger), "t0.c1")).errors == ("KeyError: 'x'",)
    ledger.close()


async def test_prompts_name_what_scripts_took_what_is_left_and_which_errors_were_met(tmp_path: Path) -> None:
    scenario = Scenario(initializer=[fence(script("broken", "A")), fence(script(0.7, "B"))])
    await solve(tmp_path, scenario)
    took = '<measured>{"seconds": 1.0, "peak_memory_mb": 10.0}</measured>'
    for role in ("usage_checker", "ablator", "extractor", "planner", "summarizer", "debugger", "bug_summarizer"):
        assert took in scenario.prompts[role][0], role
    assert '"base": {"seconds": 1.0' in scenario.prompts["merger"][0]
    assert re.search(r'status="ok"[^>]* seconds="1.0" peak_memory_mb="10.0">', scenario.prompts["planner"][0])
    left = re.search("<budget_left>(.*)</budget_left>", scenario.prompts["planner"][0])
    assert left
    assert json.loads(left[1]).keys() == {"time"}
    for role in ("debugger", "merger", "ablator", "coder"):
        assert "<errors>[\"KeyError: 'x' (broken)\"]</errors>" in scenario.prompts[role][0], role
    assert not any("<errors>" in prompt for prompt in scenario.prompts["leakage_checker"])


async def test_a_resumed_run_without_its_checkpoints_asks_nothing_again(tmp_path: Path) -> None:
    """The budget left and the errors differ by then, and the questions are the same."""
    settings = {**SMALL, "max_executions": 30}
    first = Scenario(coder=lose_connection, initializer=[fence(script("broken", "A")), fence(script(0.7, "B"))])
    with pytest.raises(ModelError):
        await solve(tmp_path, first, settings)
    (tmp_path / "runs/run/checkpoints.sqlite").unlink()
    second = Scenario()
    assert (await resume(tmp_path, second, settings={"max_executions": 60})).status == "solved"
    assert second.asked[0] == "coder"
    assert not set(first.ran) & set(second.ran)


def trial(track: int, difference: float, error: float = 0.1, plan: str = "Bin it.") -> dict[str, object]:
    gain = {"difference": difference, "standard_error": error}
    return {"track": track, "component": "features", "plan": plan, "gain": gain}


def test_a_plan_of_another_track_is_confirmed_when_its_gain_is_larger_than_its_error() -> None:
    failed = {**trial(1, 0.5), "gain": None}
    trials = [trial(0, 0.9), trial(1, 0.09), trial(1, 0.11), trial(2, 0.3), trial(1, -0.9), failed, trial(1, 0.5, 0.0)]
    assert [(one.track, one.gain) for one in find_confirmed(trials, 0)] == [(2, 0.3), (1, 0.11)]


def test_the_plans_of_other_tracks_are_bounded() -> None:
    shown = find_confirmed([trial(1, 0.2 + number, plan="word " * 1000) for number in range(20)], 0)
    assert len(shown) == MAX_CONFIRMED
    assert all(len(one.plan) < 700 for one in shown)


async def test_what_other_tracks_confirm_later_changes_no_step_that_has_begun(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    budget = Budget(Settings(), ledger)
    ledger.note("trial", "first", trial(1, 0.3))
    before = await step_facts(ledger, budget, "t0.r1.2 plan", 0)
    ledger.note("trial", "second", trial(1, 0.9))
    assert [one.gain for one in before.confirmed] == [0.3]
    assert await step_facts(ledger, budget, "t0.r1.2 plan", 0) == before
    assert [one.gain for one in (await step_facts(ledger, budget, "t0.r1.3 plan", 0)).confirmed] == [0.9, 0.3]
    assert (await step_facts(ledger, budget, "e1")).confirmed == ()
    ledger.close()
