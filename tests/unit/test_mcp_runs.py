"""What the MCP server reports about a run, without a client: the best score so far, in the metric's direction."""

import asyncio
from pathlib import Path

import pytest

from mlestar.errors import UserError
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.messages import describe_error
from mlestar.integrations.open_calls import OpenCalls
from mlestar.integrations.runs import TOOLS, Runs
from mlestar.llm.external import ModelCall, text_message
from mlestar.settings import Settings
from tests.unit.scenario import Scenario, count_rows, fence, make_task, script, signs, solve


def runs(tmp_path: Path, **settings: object) -> Runs:
    operator = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local", **settings})
    return Runs(operator, ClientRules().with_roots((tmp_path,)))


@pytest.mark.parametrize(("direction", "best"), [("maximize", "t0.r1.2 0.9"), ("minimize", "t0.r1.2 0.1")])
async def test_the_best_of_a_run_is_its_best_score_and_not_the_last(tmp_path: Path, direction: str, best: str) -> None:
    task = signs(direction)
    scenario = Scenario(jobs={"t0.r1.1": "0.85", "t0.r1.2": "0.9", "t0.r1.3": "0.6"})
    result = await solve(tmp_path, scenario, task=task, inner_plans=3)
    assert result.direction == direction
    status = await runs(tmp_path).status("run")
    identity, score = status.best.partition(" ± ")[0].split()
    assert (status.status, identity) == ("solved", best.split()[0])
    assert float(score) == pytest.approx(float(best.split()[1]), abs=0.02)


async def test_a_baseline_that_was_submitted_is_explained(tmp_path: Path) -> None:
    broken = fence(script("broken"))
    result = await solve(tmp_path, Scenario(initializer=broken, debugger=broken), baselines=True)
    known = runs(tmp_path)
    assert result.baseline_warning
    assert (await known.status(result.run_id)).problem == result.baseline_warning
    assert [(row.status, row.message) for row in await known.list()] == [("baseline", result.baseline_warning)]


async def test_while_it_runs_and_after_it_was_cancelled_the_best_stays_the_best(tmp_path: Path) -> None:
    served = runs(tmp_path)
    task = count_rows(make_task(tmp_path / "signs"), "minimize")
    run_id = await served.start(str(task), {"profile": "quick", "outer_steps": 0})
    scores: list[str] = []
    for _ in range(600):
        status = await served.status(run_id)
        if status.best and status.best not in scores:
            scores.append(status.best)
        if len(scores) == 1 or status.status != "running":
            break
        await asyncio.sleep(0.05)
    cancelled = await served.cancel(run_id)
    assert cancelled.status == "stopped"
    # Another track may have reached an equal or a better score meanwhile; it never becomes worse or empty.
    assert scores
    assert float(cancelled.best.split()[1]) <= float(scores[-1].split()[1])


@pytest.mark.parametrize(
    ("message", "described"),
    [
        (
            "cannot write to /x; choose another folder with --runs-dir",
            "cannot write to /x; choose another folder with runs_dir",
        ),
        ("give one by --set prices=FILE", "give one by prices=FILE"),
        ("or choose --model offline", "or choose model offline"),
        ("no run x in /runs; `mlestar runs` lists them", "no run x in /runs; `mlestar runs` lists them"),
    ],
)
def test_an_error_names_settings_and_no_options_of_the_command_line(message: str, described: str) -> None:
    assert describe_error(UserError(message)) == described


@pytest.mark.parametrize(
    ("message", "described"),
    [
        ("no run x in /runs; `mlestar runs` lists them", "no run x in /runs; the tool `list` lists them"),
        ("`mlestar fork x` changes the seed", "a new run of the tool `run` changes the seed"),
        ("the image is missing: `mlestar sandbox build`", "the image is missing: `mlestar sandbox build`"),
    ],
)
def test_an_error_names_tools_in_place_of_commands(message: str, described: str) -> None:
    assert describe_error(UserError(message), TOOLS) == described


async def test_workers_share_open_calls_and_none_is_lost() -> None:
    calls = OpenCalls()
    made = [ModelCall(id=name, role="coder", track=0, system="", prompt=name) for name in ("a", "b", "c")]
    waiting = [asyncio.create_task(calls.ask(call)) for call in made]
    await asyncio.sleep(0)
    assert [calls.take() for _ in range(4)] == [*made, made[0]]
    calls.answer("b", text_message("reply"))
    assert calls.all == [made[2], made[0]]
    with pytest.raises(UserError, match="no call 'b' waits"):
        calls.answer("b", text_message("again"))
    assert (await waiting[1]).text == "reply"
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert calls.take() is None
