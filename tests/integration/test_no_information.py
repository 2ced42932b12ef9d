"""Tools that learn are within what noise gives on tasks without information; one that has seen the answers is not."""

import shlex
import sys
from pathlib import Path

import pytest

from mlestar.bench.find import Suite, add_no_information
from mlestar.bench.peers import find_peers
from mlestar.bench.rows import BenchRow, Conditions
from mlestar.bench.run import BenchFolder, Progress, run_bench

COPY_ANSWERS = """
import sys
from pathlib import Path
import pandas as pd

answers, task, submission = map(Path, sys.argv[1:])
labels = pd.read_csv(answers / task.parents[1].name / "answers.csv")
if "churn" in labels:  # probabilities are asked for
    labels["churn"] = 0.1 + 0.8 * labels["churn"]
labels.to_csv(submission, index=False)
"""


def ignore(progress: Progress, row: BenchRow | None) -> None:
    """Show nothing."""


@pytest.mark.slow
def test_only_a_tool_that_has_seen_the_answers_is_beyond_noise(tmp_path: Path) -> None:
    suite = add_no_information(Suite("suite", (), ()), tmp_path / "generated")
    suite = Suite(suite.name, suite.tasks[::2], suite.rows[::2])  # one of each kind
    words = [sys.executable, "-c", COPY_ANSWERS, str(tmp_path / "generated" / "answers")]
    cheat = f"cheat={shlex.join(words)} {{input}} {{output}}"
    tools = find_peers(["constant", "sklearn"], [cheat], seconds=280, cpus=1)
    bench = run_bench(suite, tools, Conditions(cpus=1), BenchFolder(tmp_path / "out"), show=ignore)
    said = "Tasks without information: {} is within what noise gives: graded in {} of 3 rows."
    assert bench.statements[-3:-1] == (said.format("constant", 3), said.format("sklearn", 3))
    assert bench.statements[-1].startswith(said.format("cheat", 0))
    assert bench.statements[-1].count("better than") == 3
