"""What replaces a script."""

import pytest

import mlestar
from mlestar.settings import Settings
from tests.unit.scenario import Play, count_rows, fence, make_task, script

STEP = {
    "profile": "quick",
    "retrieval": "none",
    "retrieved_models": 1,
    "outer_steps": 2,
    "inner_plans": 1,
    "model_backoff": 0,
}


async def play_through(folder, play, **settings):
    """Return which script each study looked at, and what was said of the first step."""
    said = []
    await mlestar.asolve(
        count_rows(make_task(folder / "signs")),
        settings={**STEP, "runs_dir": folder / "runs", **settings},
        model=play.model(),
        runner=play.runner(),
        on_event=lambda event: said.append((event.stage, event.message)),
    )
    return play.prompts["ablator"], next(message for stage, message in said if stage == "advance")


def refined(quality: float) -> Play:
    """Return a play whose first plan brings this quality where the candidate has 0.6."""
    coder = [fence(f"def load():\n    # quality {q}\n    return 1") for q in (quality, 0.1)]
    return Play(initializer=fence(script(0.6)), coder=coder)


def test_a_bootstrap_confirms_unless_told_otherwise():
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
async def test_a_script_is_replaced_by_what_is_better_enough(tmp_path, quality, accept, said):
    studied, told = await play_through(tmp_path, refined(quality), accept=accept)
    assert told == said
    assert (f"# quality {quality}\n" in studied[1]) == ("replaces" in said)
