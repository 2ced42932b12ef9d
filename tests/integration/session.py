"""One session of a scripted run in a process of its own, which a test may end at any moment."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlestar
from mlestar.runners import Execution, Job, ScriptedRunner
from mlestar.settings import Settings
from tests.integration.stub_gemini import MODEL
from tests.unit.scenario import FULL, Scenario


def settings(folder: Path, url: str, **more: object) -> Settings:
    values = {"model": MODEL, "base_url": url, "runs_dir": folder / "runs", "parallel": 4, **more}
    return Settings.resolve({**FULL, **values})


def execute_slowly(seconds: float, log: Path) -> Callable[[Job], Execution]:
    """Return how a scripted runner executes a job: in some seconds, with its start and its end in a log."""

    def run(job: Job) -> Execution:
        sha = hashlib.sha256(f"{job.name} {job.script}".encode()).hexdigest()
        _append(log, f"begin {job.name} {sha}\n")
        time.sleep(seconds)
        outcome = Scenario().run(job)
        _append(log, f"end {job.name} {sha}\n")
        return outcome

    return run


def _append(log: Path, line: str) -> None:
    """Append a line in one write, as several processes share the log."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)


def work(folder: Path, url: str, log: Path, seconds: float, more: dict[str, Any]) -> None:
    """Solve the task `folder/signs` as run `run`, or resume it."""
    os.environ["GOOGLE_API_KEY"] = "none"
    runner = ScriptedRunner(execute_slowly(seconds, log))
    asyncio.run(mlestar.asolve(folder / "signs", settings=settings(folder, url, **more), run_id="run", runner=runner))
