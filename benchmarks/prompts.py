"""What prompts cost: calls, tokens, the share that a provider can cache, and the size of the task section.

usage: python benchmarks/prompts.py [--columns 10 200 1000] [--script 4500]

A scripted run at M=4, T=2, K=3, L=2 in the symbols of the paper, with scripts of about `--script` characters; no model
is asked and no script is executed, so that the figures depend on the prompts alone. Of two consecutive calls whose
prompts hold the task section, the common beginning is what a provider can read from its cache. Then the largest task
section (spec, files and column statistics) is measured for tables of each width.
"""

import argparse
import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

import mlestar
from mlestar.llm.prices import CHARACTERS_PER_TOKEN
from mlestar.settings import Settings
from tests.unit.scenario import DEFAULTS, Scenario, cards, count_rows, fence, make_task, script

SETTINGS: dict[str, object] = {
    "retrieval": "none",
    "tracks": 2,
    "retrieved_models": 4,
    "outer_steps": 2,
    "inner_plans": 3,
    "accept": "better",
    "resamples": 40,
}
ONE_SCRIPT: dict[str, object] = {"profile": "quick", "retrieved_models": 1, "outer_steps": 0, "retrieval": "none"}
PARAGRAPH = """
The organizers measured every item twice, with two instruments that were calibrated once a month. Columns of the first
instrument come first. A value is missing where an instrument was not ready. Items were drawn at random from those that
were delivered during the year, so that neighboring rows are unrelated.
"""
DESCRIPTION = f"# Signs\n\nPredict `label`.\n{10 * PARAGRAPH}\n## Evaluation\nClassification accuracy.\n"


class RecordingScenario(Scenario):
    """Records the prompts of all roles in the order of the calls."""

    def __init__(self, characters: int) -> None:
        padding = "".join(f"    step_{number} = {number} * 12345 + 1000000\n" for number in range(characters // 38))
        qualities = {"A": 0.6, "B": 0.7, "C": 0.65, "D": 0.62}

        def pad(reply: str) -> str:
            return reply.replace("def model():\n", f"def model():\n{padding}")

        super().__init__(
            retriever=cards(*qualities),
            initializer=[pad(fence(script(quality, name))) for name, quality in qualities.items()],
            merger=pad(str(DEFAULTS["merger"])),
            ensembler=[pad(reply) for reply in DEFAULTS["ensembler"]],
            debugger=pad(str(DEFAULTS["debugger"])),
        )
        self.calls: list[str] = []

    def answer(self, role: str, prompt: str) -> str:
        self.calls.append(prompt)
        return super().answer(role, prompt)


def write_task(folder: Path, columns: int) -> Path:
    """Write a task with this number of columns."""
    task, draw = count_rows(make_task(folder)), np.random.default_rng(0)
    for name in ("train.csv", "test.csv"):
        table = pd.read_csv(task / name)
        more = {f"number_{index}": draw.normal(size=len(table)).round(4) for index in range(columns - 4)}
        pd.concat([table, pd.DataFrame(more)], axis=1).to_csv(task / name, index=False)
    (task / "task.md").write_text(DESCRIPTION, encoding="utf-8")
    return task


async def record_run(columns: int, settings: dict[str, object], characters: int) -> list[str]:
    """Return the prompt of every model call of a run, in order."""
    scenario = RecordingScenario(characters)
    with tempfile.TemporaryDirectory() as folder:
        task = write_task(Path(folder) / "signs", columns)
        resolved = Settings.resolve({"runs_dir": Path(folder) / "runs", **settings})
        await mlestar.asolve(task, settings=resolved, run_id="run", **scenario.options())
    return scenario.calls


def common_share(prompts: list[str]) -> float:
    """Return the share of characters in the beginning common with the previous prompt, where both hold the task."""
    pairs = [(before, after) for before, after in pairwise(prompts) if "<task>" in before and "<task>" in after]
    common = sum(common_length(before, after) for before, after in pairs)
    return common / sum(len(after) for _, after in pairs)


def common_length(before: str, after: str) -> int:
    """Return how many characters two prompts have in common at their beginning."""
    differing = (index for index, (left, right) in enumerate(zip(before, after, strict=False)) if left != right)
    return next(differing, min(len(before), len(after)))


def task_section(prompts: list[str]) -> int:
    """Return the bytes of the largest spec, files and column statistics together."""
    tags = ("spec", "files", "column_statistics")
    return max(sum(len(_tagged(prompt, tag).encode()) for tag in tags) for prompt in prompts if "<task>" in prompt)


def _tagged(prompt: str, tag: str) -> str:
    return prompt.partition(f"\n<{tag}>")[2].partition(f"</{tag}>")[0]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, nargs="*", default=[10, 200, 1000])
    parser.add_argument("--script", type=int, default=4500)
    arguments = parser.parse_args()
    prompts = await record_run(20, SETTINGS, arguments.script)
    asked_again = sum("<attempt>0</attempt>" not in prompt for prompt in prompts)
    tokens = sum(map(len, prompts)) // CHARACTERS_PER_TOKEN
    print(f"{len(prompts)} model calls, {asked_again} asked again, {tokens} input tokens")
    print(f"common beginning with the previous call: {common_share(prompts):.1%} of the characters")
    for columns in arguments.columns:
        prompts = await record_run(columns, ONE_SCRIPT, arguments.script)
        print(f"{columns} columns: task section {task_section(prompts)} bytes", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
