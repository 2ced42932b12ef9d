"""A benchmark that is killed twice has the same table as a whole one, and repeats nothing that was finished."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlestar.bench.run import read_bench
from tests.integration.command import SECONDS, mlestar_command
from tests.integration.test_kill import finished_work
from tests.unit.suites import write_suite

OPTIONS = (
    *("--model", "offline", "--profile", "quick", "--runner", "local"),
    *("--set", "retrieved_models=1", "--set", "outer_steps=0", "--set", "finalists=1"),
)


def wait_until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def kill_when(command: list[str], reached: Callable[[], bool]) -> None:
    """Begin a benchmark and kill it alone, without its children, once something is reached."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: reached() or process.poll() is not None)
        assert process.poll() is None, "it ended before it was killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def scores(out: Path) -> list[dict[str, Any]]:
    """Return the rows without what a clock measured."""
    rows = [row.model_dump(exclude={"seconds"}) for row in read_bench(out).rows]
    assert rows
    return rows


def executions(run: Path) -> set[str]:
    return finished_work(run)[1]


@pytest.mark.slow
@pytest.mark.timeout(3 * SECONDS)
def test_a_benchmark_killed_twice_has_the_same_table(tmp_path: Path) -> None:
    suite, out = write_suite(tmp_path / "suite", ["a", "b"]), tmp_path / "out"
    command = mlestar_command("bench", suite, "--out", out, *OPTIONS)
    first, second = (out / "work" / name / "mlestar-0" / "run" for name in ("a", "b"))
    kill_when(command, lambda: bool(executions(first)))
    before = executions(first)
    row = out / "rows/a/mlestar-0.json"
    kill_when(command, lambda: row.exists() and bool(executions(second)))
    finished, written = executions(first), row.stat().st_mtime_ns
    assert before <= finished

    subprocess.run(command, check=True, timeout=SECONDS)

    assert row.stat().st_mtime_ns == written
    assert executions(first) == finished
    killed = scores(out)
    shutil.move(out, tmp_path / "killed")
    subprocess.run(command, check=True, timeout=SECONDS)
    assert killed == scores(out)
    assert json.loads((out / "bench.json").read_text(encoding="utf-8"))["format"] == 1
