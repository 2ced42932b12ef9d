"""When a new script replaces the current one."""

from pathlib import Path

import pytest

import mlestar
from mlestar.settings import Settings
from tests.unit.scenario import SMALL, Scenario, block, fence, script, signs

TWO_STEPS = {**SMALL, "retrieved_models": 1, "outer_steps": 2, "inner_plans": 1, "model_backoff": 0}
"""One candidate, and two outer steps of one plan."""


async def run_two_steps(folder: Path, scenario: Scenario, **settings: object) -> tuple[list[str], str]:
    """Return the prompt of each ablation study, and the message at the end of the first step."""
    events: list[mlestar.Event] = []
    await mlestar.asolve(
        signs(),
        settings={**TWO_STEPS, "runs_dir": folder / "runs", **settings},
        **scenario.options(on_event=events.append),
    )
    return scenario.prompts["ablator"], next(event.message for event in events if event.stage == "advance")


def refined(quality: float) -> Scenario:
    """Return a scenario whose first plan brings this quality where the candidate has 0.6."""
    coder = [block(q) for q in (quality, 0.1)]
    return Scenario(initializer=fence(script(0.6)), coder=coder)


def test_by_default_a_bootstrap_confirms_an_improvement() -> None:
    assert Settings().accept == "significant"


@pytest.mark.parametrize(
    ("quality", "accept", "message"),
    [
        (0.62, "significant", "t0.c1 stays: t0.r1.1 is better, though not beyond noise"),
        (0.62, "better", "t0.r1.1 replaces t0.c1"),
        (0.9, "significant", "t0.r1.1 replaces t0.c1"),
        (0.6, "better", "t0.c1 stays: nothing better was found"),
        (0.5, "better", "t0.c1 stays: nothing better was found"),
    ],
)
async def test_a_script_is_replaced_by_one_that_is_better_enough(
    tmp_path: Path,
    quality: float,
    accept: str,
    message: str,
) -> None:
    prompts, outcome = await run_two_steps(tmp_path, refined(quality), accept=accept)
    assert outcome == message
    assert (f"# quality {quality}\n" in prompts[1]) == ("replaces" in message)
