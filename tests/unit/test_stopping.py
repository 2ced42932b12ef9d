"""A stop while a run reads and plans: nothing waits for a computation that nobody needs any more."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mlestar.errors import StopRequested
from mlestar.runtime.interrupt import run_interruptible
from mlestar.runtime.stopping import unless_stopped
from mlestar.runtime.threads import GRACE_SECONDS, WorkerThreads
from tests.unit.scenario import make_task

SLOW = """
import time
from mlestar.data.layouts.tables import TrainTestTables

class Slow(TrainTestTables):
    def write(self, rows, folder, place):
        print("staging", flush=True)
        time.sleep(600)
"""
"""A layout that takes ten minutes to write a holdout."""


@pytest.mark.parametrize("numbers", [[signal.SIGINT] * 2, [signal.SIGTERM]], ids=["Ctrl-C twice", "SIGTERM"])
def test_a_run_that_prepares_stops_at_once_and_can_be_resumed(tmp_path: Path, numbers: list[signal.Signals]) -> None:
    task, runs = make_task(tmp_path / "signs", rows=40), tmp_path / "runs"
    (task / "task.toml").write_text('layout = "slow:Slow"\nsplit = "random"\n', encoding="utf-8")
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    options = ["--runs-dir", runs, "--run-id", "run", "--model", "offline", "--runner", "local"]
    command = [sys.executable, "-m", "mlestar", "run", str(task), *map(str, options)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    assert process.stdout is not None
    while "staging" not in process.stdout.readline():
        assert process.poll() is None
    asked = time.monotonic()
    for number in numbers:
        os.kill(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - asked < 20
    assert process.returncode == 130, errors[-3000:]
    assert "continue with: mlestar resume run" in errors
    assert "Traceback" not in errors
    assert json.loads((runs / "run/result.json").read_text(encoding="utf-8"))["status"] == "stopped"


async def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> int:
        return 5

    assert await unless_stopped(None, work()) == await unless_stopped(asyncio.Event(), work()) == 5


async def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_stopped(asyncio.Event(), work())


async def test_a_stop_leaves_the_work() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    asyncio.get_running_loop().call_later(0.05, stop.set)
    with pytest.raises(StopRequested):
        await unless_stopped(stop, work())
    await asyncio.wait_for(ended.wait(), 5)


def test_worker_threads_reuse_idle_threads_and_pass_results_and_errors_on() -> None:
    workers = WorkerThreads()
    names = set()
    for number in range(50):
        assert workers.submit(pow, number, 2).result(5) == number**2
        names.add(workers.submit(lambda: threading.current_thread().name).result(5))
        time.sleep(0.001)
    assert len(names) < 5
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result(5)
    workers.shutdown()


def test_many_calls_run_at_once() -> None:
    workers, barrier = WorkerThreads(), threading.Barrier(4)
    calls = [workers.submit(barrier.wait, 10) for _ in range(4)]
    assert sorted(call.result(20) for call in calls) == [0, 1, 2, 3]
    workers.shutdown()


def test_the_end_of_a_loop_waits_for_its_threads_only_a_moment() -> None:
    release = threading.Event()

    async def begin(stop: asyncio.Event) -> int:
        asyncio.get_running_loop().run_in_executor(None, release.wait, 60)
        await asyncio.sleep(0.01)
        return 7

    began = time.monotonic()
    assert run_interruptible(begin, None) == 7
    assert time.monotonic() - began < GRACE_SECONDS + 5
    release.set()
