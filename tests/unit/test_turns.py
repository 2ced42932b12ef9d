"""Only scripts that read the same input execute at once."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mlestar.errors import ModelError
from mlestar.runners import Execution, Job, ScriptedRunner
from mlestar.runtime.turns import Turns
from tests.unit.scenario import FULL, Scenario, lose_connection, solve

pytestmark = pytest.mark.timeout(60)


class Log:
    """Starts executions by turns, and keeps when they started and ended."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.lines: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def execute(self, name: str) -> None:
        self.gates[name] = asyncio.Event()
        async with self.turns.of(name.rstrip("0123456789")):
            self.lines.append(f"+{name}")
            await self.gates[name].wait()
            self.lines.append(f"-{name}")

    async def start(self, *names: str) -> list[asyncio.Task[None]]:
        tasks = []
        for name in names:
            tasks.append(asyncio.create_task(self.execute(name)))
            await settle()
        return tasks

    async def end(self, *names: str) -> None:
        for name in names:
            self.gates[name].set()
            await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_another_input_waits_and_those_that_come_later_wait_behind_it() -> None:
    log = Log(Turns())
    await log.start("search1", "search2", "real1", "search3", "real2")
    assert log.lines == ["+search1", "+search2"]
    await log.end("search1")
    assert log.lines[2:] == ["-search1"]
    await log.end("search2")
    assert log.lines[3:] == ["-search2", "+real1"]
    await log.end("real1")
    assert log.lines[5:] == ["-real1", "+search3"]
    await log.end("search3", "real2")
    assert log.lines[7:] == ["-search3", "+real2", "-real2"]


async def test_an_urgent_execution_goes_before_those_that_wait() -> None:
    turns, order = Turns(), list[str]()

    async def execute(name: str, *, urgent: bool = False) -> None:
        async with turns.of(name, urgent=urgent):
            order.append(name)
            await settle()

    async with turns.of("search"):
        waiting = [asyncio.create_task(execute("other"))]
        await settle()
        waiting.append(asyncio.create_task(execute("real", urgent=True)))
        await settle()
        waiting.append(asyncio.create_task(execute("search")))
        await settle()
        assert order == []
    await asyncio.gather(*waiting)
    assert order == ["real", "other", "search"]


@pytest.mark.parametrize("cancelled", ["search1", "real1", "search2"])
async def test_a_cancelled_execution_holds_nobody_up(cancelled: str) -> None:
    log = Log(Turns())
    names = ["search1", "real1", "search2", "fresh1"]
    tasks = dict(zip(names, await log.start(*names), strict=True))
    tasks[cancelled].cancel()
    await settle()
    for name in names:
        await log.end(name)
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert [name for name in names if f"-{name}" not in log.lines] == [cancelled]


async def test_a_turn_that_is_cancelled_when_it_has_come_is_passed_on() -> None:
    turns = Turns()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.of("search"))
        waiting = asyncio.create_task(asyncio.wait_for(_take(turns, "real"), 5))
        await settle()
        task = asyncio.create_task(_take(turns, "search"))
        await settle()
    waiting.cancel()
    await asyncio.wait_for(task, 5)
    await asyncio.wait_for(_take(turns, "real"), 5)


async def _take(turns: Turns, name: str) -> None:
    async with turns.of(name):
        pass


async def test_what_happens_between_inputs_is_done_once_and_waited_for() -> None:
    changes: list[str] = []

    async def change() -> None:
        changes.append("begun")
        await settle()
        changes.append("done")

    turns = Turns(change)
    for names in (["search", "search"], ["search"], ["real"], ["search"]):
        await asyncio.gather(*(_take(turns, name) for name in names))
    assert changes == ["begun", "done"] * 3


class Overlaps:
    """Executes a scenario's scripts slowly, and counts the pairs of inputs that scripts read at once."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.lock = threading.Lock()
        self.running: list[Path] = []
        self.pairs: Counter[bool] = Counter()
        """Whether both read the same input, for every two scripts that executed at once."""

    def run(self, job: Job) -> Execution:
        with self.lock:
            self.pairs.update(other == job.input for other in self.running)
            self.running.append(job.input)
        time.sleep(0.05)
        with self.lock:
            self.running.remove(job.input)
            return self.scenario.run(job)


@pytest.mark.parametrize("isolation", ["standard", "strict"])
async def test_a_run_never_executes_scripts_on_two_inputs_at_once(tmp_path: Path, isolation: str) -> None:
    class Slow(Scenario):
        def runner(self) -> ScriptedRunner:
            return ScriptedRunner(overlaps.run)

    scenario = Slow()
    overlaps = Overlaps(scenario)
    result = await solve(tmp_path, scenario, FULL, parallel=8, isolation=isolation)
    assert result.status == "solved"
    assert overlaps.pairs[True]
    assert not overlaps.pairs[False]
    assert bool(scenario.early) == (isolation == "standard")


@pytest.mark.parametrize("isolation", ["standard", "strict"])
async def test_strict_isolation_exports_nothing_before_the_search_is_over(tmp_path: Path, isolation: str) -> None:
    scenario = Scenario(planner=lose_connection)
    with pytest.raises(ModelError):
        await solve(tmp_path, scenario, model_attempts=1, isolation=isolation)
    assert bool(scenario.early) == (isolation == "standard")
    assert any(name.endswith("-export") for name in scenario.scripts) == (isolation == "standard")
