"""What prompts contain of the data: with `share` below `all` no value of a cell, whatever stage asks."""

from pathlib import Path

import pytest

from mlestar.agents.sharing import limit_message, limit_output
from tests.unit.scenario import Scenario, by_card, fence, make_task, script, solve

OUTPUT = """reading 300 rows, first: alice 17.25
Final Validation Performance: 0.71
Traceback (most recent call last):
  File "/sandbox/main.py", line 12, in load
    frame["age"] = frame["age"].astype(float)
ValueError: could not convert string to float: 'alice'
"""
KEPT = """Final Validation Performance: 0.71
Traceback (most recent call last):
File "/sandbox/main.py", line 12, in load
ValueError
(2 lines of output are not shared)"""


def test_output_keeps_scores_and_where_a_script_failed() -> None:
    assert limit_output(OUTPUT, "all") == OUTPUT
    assert limit_output(OUTPUT, "statistics") == limit_output(OUTPUT, "names") == KEPT
    assert limit_output("", "names") == ""


@pytest.mark.parametrize(
    ("message", "shared"),
    [
        (
            "error, exit status 1: ValueError: could not convert string to float: 'alice'",
            "error, exit status 1: ValueError",
        ),
        ("sklearn.exceptions.NotFittedError: alice", "sklearn.exceptions.NotFittedError"),
        ("row 5 holds 'alice', which is no number", "row 5 holds (not shared), which is no number"),
        ("it hit the limit of 60 s", "it hit the limit of 60 s"),
    ],
)
def test_a_reason_keeps_its_kind(message: str, shared: str) -> None:
    assert limit_message(message, "statistics") == shared
    assert limit_message(message, "all") == message


@pytest.mark.parametrize(("share", "values"), [("all", True), ("statistics", False), ("names", False)])
async def test_no_prompt_contains_a_value_of_the_data(tmp_path: Path, share: str, values: bool) -> None:
    task = make_task(tmp_path / "signs", rows=120)
    train = (task / "train.csv").read_text().splitlines()
    cells = {cell for line in train[1:] for cell in line.split(",") if len(cell) > 5}
    assert cells
    scenario = Scenario(initializer=by_card(A=fence(script("broken", "A")), B=fence(script(0.7, "B"))))
    await solve(tmp_path, scenario, task=task, share=share)
    prompts = [prompt for asked in scenario.prompts.values() for prompt in asked]
    assert len(scenario.prompts) > 5
    shown = {cell for cell in cells for prompt in prompts if cell in prompt}
    assert bool(shown) is values
    assert any("column_statistics" in prompt for prompt in prompts)
