"""Tools that learn are within what noise gives on tasks without information; one that has seen the answers is not."""

import shlex
import sys
from pathlib import Path

import pytest

from mlestar.bench.find import Suite, add_no_information
from mlestar.bench.peers import find_peers
from mlestar.bench.rows import BenchRow, Conditions
from mlestar.bench.run import BenchFolder, Progress, run_bench

COPY_ANSWERS = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"


def ignore(progress: Progress, row: BenchRow | None) -> None:
    """Show nothing."""


@pytest.mark.slow
def test_learning_from_noise_stays_within_what_noise_gives(tmp_path: Path) -> None:
    suite = add_no_information(Suite("suite", (), ()), tmp_path / "generated")
    tools = find_peers(["constant", "sklearn"], [], seconds=60, cpus=1)
    bench = run_bench(suite, tools, Conditions(cpus=1), BenchFolder(tmp_path / "out"), parallel=1, show=ignore)
    said = "Tasks without information: {} is within what noise gives: graded in 5 of 5 rows."
    assert bench.statements[-2:] == (said.format("constant"), said.format("sklearn"))


@pytest.mark.slow
def test_a_tool_that_has_seen_the_answers_is_outside(tmp_path: Path) -> None:
    suite = add_no_information(Suite("suite", (), ()), tmp_path / "generated")
    suite = Suite(suite.name, suite.tasks[-1:], suite.rows[-1:])
    answers = tmp_path / "generated" / "answers" / suite.tasks[0].id / "answers.csv"
    words = [sys.executable, "-c", COPY_ANSWERS, str(answers)]
    tools = find_peers([], [f"cheat={shlex.join(words)} {{output}} {{input}}"], seconds=60, cpus=1)
    bench = run_bench(suite, tools, Conditions(cpus=1), BenchFolder(tmp_path / "out"), parallel=1, show=ignore)
    statement = bench.statements[-1]
    assert "cheat is within what noise gives: graded in 0 of 1 rows." in statement
    assert "no-information-texts-1 (seed 0) graded 1, better than" in statement
