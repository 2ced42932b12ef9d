"""What replaces a script."""

from pathlib import Path

import pytest

import mlestar
from mlestar.settings import Settings
from tests.unit.scenario import Scenario, count_rows, fence, make_task, script

STEP = {
    "profile": "quick",
    "retrieval": "none",
    "retrieved_models": 1,
    "outer_steps": 2,
    "inner_plans": 1,
    "model_backoff": 0,
}


async def run_through(folder, scenario, **settings: object):
    """Return which script each study looked at, and what was said of the first step."""
    said = []
    await mlestar.asolve(
        count_rows(make_task(folder / "signs")),
        settings={**STEP, "runs_dir": folder / "runs", **settings},
        model=scenario.model(),
        runner=scenario.runner(),
        on_event=lambda event: said.append((event.stage, event.message)),
    )
    return scenario.prompts["ablator"], next(message for stage, message in said if stage == "advance")


def refined(quality: float) -> Scenario:
    """Return a scenario whose first plan brings this quality where the candidate has 0.6."""
    coder = [fence(f"def load():\n    # quality {q}\n    return 1") for q in (quality, 0.1)]
    return Scenario(initializer=fence(script(0.6)), coder=coder)


def test_a_bootstrap_confirms_unless_told_otherwise() -> None:
    assert Settings().accept == "significant"


@pytest.mark.parametrize(
    ("quality", "accept", "said"),
    [
        (0.62, "significant", "t0.c1 stays: t0.r1.1 is better, though not beyond noise"),
        (0.62, "better", "t0.r1.1 replaces t0.c1"),
        (0.9, "significant", "t0.r1.1 replaces t0.c1"),
        (0.6, "better", "t0.c1 stays: nothing better was found"),
        (0.5, "better", "t0.c1 stays: nothing better was found"),
    ],
)
async def test_a_script_is_replaced_by_what_is_better_enough(
    tmp_path: Path,
    quality: float,
    accept: str,
    said: str,
) -> None:
    studied, emitted = await run_through(tmp_path, refined(quality), accept=accept)
    assert emitted == said
    assert (f"# quality {quality}\n" in studied[1]) == ("replaces" in said)
