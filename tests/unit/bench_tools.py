"""A tool for tests of benchmarks, and a benchmark with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.find import Suite, find_suite
from mlestar.bench.rows import Bench, BenchRow, Conditions, Reliability
from mlestar.bench.run import BenchFolder, Progress, run_bench
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome

CONDITIONS = Conditions(profile="quick", model="offline", runner="local", version="1")


@dataclass
class RuleTool:
    """Predicts from the sign of `x`, or copies the sample submission."""

    name: str = "rule"
    copies_sample: bool = False
    fails: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        self.runs.append(f"{task.id}-{seed}")
        if self.fails:
            return Outcome("failed", 1.0, "it broke")
        test = pd.read_csv(task.folder / "test.csv")
        guess = "no" if self.copies_sample else np.where(test["x"] > 0, "yes", "no")
        test[["id"]].assign(label=guess).to_csv(folder / "submission.csv", index=False)
        return Outcome("graded", 1.0, submission=folder / "submission.csv")


def ignore(progress: Progress, row: BenchRow | None) -> None:
    """Show nothing."""


def run(suite: Path, out: Path, *tools: RuleTool, conditions: Conditions = CONDITIONS) -> Bench:
    """Run a benchmark of a suite, without measuring what noise gives."""
    found = find_suite(suite)
    skip_noise(found, out)
    return run_bench(found, tools, conditions, BenchFolder(out), show=ignore)


def skip_noise(suite: Suite, out: Path) -> None:
    """Write that what noise gives is not known, which is read in place of measuring it."""
    for task in suite.tasks:
        record = out / "noise" / task.id / "reliability.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(Reliability(task=task.id, reason="not measured").model_dump_json(), encoding="utf-8")
