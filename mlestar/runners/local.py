"""The local runner: scripts as processes of this user. It bounds accidents and stops no attacker."""

import asyncio
import dataclasses
import os
import sys
import time
from pathlib import Path

from mlestar.runners.base import Environment, Execution, Job
from mlestar.runners.capture import Output
from mlestar.runners.child import Child
from mlestar.runners.probe import ask
from mlestar.runners.snapshot import Snapshots
from mlestar.runners.watch import HOST_SHARE, MIB, End, conclude, finish, over_limit, unwritable, watch
from mlestar.runners.workplace import make_workplace, measure, name_workplace, scrub

SHOWN = "/sandbox"
"""What messages of scripts call the work folder, as in the container: the real path differs each time."""


class LocalRunner:
    """Runs scripts as processes of this user, with limits on time, memory, disk and output.

    It protects nothing from hostile code: a script can read this user's files and secrets, reach the network, and
    outlive its keeper if it tries. Only for scripts whose author is trusted.
    """

    name = "local"
    warning = "the local runner protects nothing: scripts run as you, with your files and your network"

    def __init__(self, python: str = sys.executable, *, work_dir: Path | None = None) -> None:
        """Describe the runner.

        Args:
            python: interpreter that runs the scripts.
            work_dir: parent of the work folders, by default the system's folder for temporary files.
        """
        self._python = python
        self._work_dir = work_dir
        self._snapshots = Snapshots(name_workplace(work_dir))
        self._environment: Environment | None = None

    async def environment(self) -> Environment:
        """Describe what scripts find."""
        if self._environment is None:
            python, packages = await ask(self.run, self._work_dir)
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            self._environment = Environment(
                runner=self.name,
                image=self._python,
                python=python,
                packages=packages,
                cpus=float(_cpus()),
                memory_mb=int(memory * HOST_SHARE / MIB),
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job; when cancelled, everything it started is killed before this returns.

        Raises:
            RunnerError: the interpreter cannot be started, or the folders cannot be written.
        """
        place = name_workplace(self._work_dir)
        try:
            copy = await finish(self._furnish, place, job)
            output = Output(job.limits.output_mb * MIB)
            began = time.monotonic()
            end = await self._supervise(job, place, output)
            if not await finish(self._snapshots.intact, copy):
                end = _refuse_writing(end)
            execution = await finish(conclude, job, place / "work", end, output, time.monotonic() - began)
            return _anonymous(execution, {str(copy): f"{SHOWN}/input", str(place / "work"): SHOWN})
        except UnicodeEncodeError as error:
            return unwritable(error)
        finally:
            await finish(scrub, place)

    async def aclose(self) -> None:
        """Delete the copies of input folders."""
        await asyncio.to_thread(self._snapshots.drop)

    async def _supervise(self, job: Job, place: Path, output: Output) -> End:
        child = Child(self._python, job, place, min(job.limits.cpus, _cpus()), output)
        try:
            await finish(child.start)
            began = time.monotonic()

            def look() -> End | None:
                return over_limit(job.limits, time.monotonic() - began, output, measure(place)) or child.look()

            if found := await watch(child.ended, job.limits.seconds, look):
                return found
            return child.end()
        finally:
            await finish(child.dispose)

    def _furnish(self, place: Path, job: Job) -> Path:
        """Make the folders of an execution; return the copy of its input."""
        work = make_workplace(place, job.script)
        (place / "home").mkdir()
        copy = self._snapshots.take(job.input)
        (work / "input").symlink_to(copy, target_is_directory=True)
        return copy


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _refuse_writing(end: End) -> End:
    detail = "the script wrote into ./input, which is read-only"
    return dataclasses.replace(end, status="error" if end.status == "ok" else end.status, detail=detail)


def _anonymous(execution: Execution, names: dict[str, str]) -> Execution:
    stdout, stderr = execution.stdout, execution.stderr
    for real, shown in names.items():
        stdout, stderr = stdout.replace(real, shown), stderr.replace(real, shown)
    return dataclasses.replace(execution, stdout=stdout, stderr=stderr)
