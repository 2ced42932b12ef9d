"""Whether branches overlap: a whole run against the longest chain of calls and scripts that the method forces.

usage: python benchmarks/overlap.py [--call 0.5] [--script 2.0]

A scripted model answers after `--call` seconds, and scripts sleep for `--script` seconds; L=2, M=2, T=1, K=2, R=2 in
the symbols of the paper. The chain is counted from the settings, not measured; the serial sum is the time of all calls
and scripts one after another.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

import mlestar
from mlestar.llm import ScriptedModel
from mlestar.runners import Execution, Job, ScriptedRunner
from tests.unit.scenario import Scenario, count_rows, make_task

SETTINGS = {
    "retrieval": "none",
    "tracks": 2,
    "retrieved_models": 2,
    "outer_steps": 1,
    "inner_plans": 2,
    "ensemble_rounds": 2,
    "finalists": 2,
    "fresh_splits": 1,
    "parallel": 6,
}
CHAIN = [
    ("analyst", 1, 0),
    ("retriever", 1, 0),
    ("candidate: write, check, run", 2, 1),
    ("merge: write, check, run", 2, 1),
    ("data usage", 1, 0),
    ("ablation: write, run, summarize, choose the block", 3, 1),
    ("first plan: write, check, run", 2, 1),
    ("second plan: plan, write, check, run", 3, 1),
    ("first ensemble: plan, write, check, run", 3, 1),
    ("second ensemble: plan, write, check, run", 3, 1),
    ("rescorings", 0, 1),
    ("export", 0, 1),
]
"""Steps that each wait for the previous one, with their numbers of model calls and executions."""


class SlowModel(ScriptedModel):
    """Answers after some seconds without blocking a thread, as a provider does."""

    seconds: float

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.seconds)
        return self._generate(messages)


class SlowRunner(ScriptedRunner):
    """Sleeps for some seconds before each scripted execution."""

    def __init__(self, replies: Callable[[Job], Execution], seconds: float) -> None:
        super().__init__(replies)
        self._seconds = seconds

    async def run(self, job: Job) -> Execution:
        await asyncio.sleep(self._seconds)
        return await super().run(job)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--call", type=float, default=0.5)
    parser.add_argument("--script", type=float, default=2.0)
    options = parser.parse_args()
    for name, calls, scripts in CHAIN:
        print(f"{name:55} {calls} calls, {scripts} scripts")
    chain = sum(calls * options.call + scripts * options.script for _, calls, scripts in CHAIN)
    with tempfile.TemporaryDirectory() as folder:
        scenario, seconds = asyncio.run(solve(Path(folder), options))
    executions = len(scenario.ran) + len(scenario.early)
    serial = len(scenario.asked) * options.call + executions * options.script
    print(f"serial sum {serial:.1f} s ({len(scenario.asked)} calls, {executions} scripts)")
    print(f"longest chain {chain:.1f} s, wall time {seconds:.1f} s: {seconds / chain:.3f} of the chain")


async def solve(folder: Path, options: argparse.Namespace) -> tuple[Scenario, float]:
    scenario = Scenario()
    task = count_rows(make_task(folder / "signs"))
    started = time.monotonic()
    result = await mlestar.asolve(
        task,
        settings={**SETTINGS, "runs_dir": folder / "runs"},
        run_id="run",
        model=SlowModel(answer=scenario.answer, seconds=options.call),
        runner=SlowRunner(scenario.run, options.script),
    )
    seconds = time.monotonic() - started
    assert result.status == "solved", result.message
    return scenario, seconds


if __name__ == "__main__":
    main()
