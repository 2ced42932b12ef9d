"""The local runner: scripts as processes of this user, inside bubblewrap where it works."""

import asyncio
import logging
import os
import shutil
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Job
from mlestar.runners.capture import Output
from mlestar.runners.execution import make_execution, unencodable
from mlestar.runners.limits import HOST_SHARE, MIB, End
from mlestar.runners.local.bubblewrap import Bubblewrap, find_bubblewrap
from mlestar.runners.local.process import Child
from mlestar.runners.local.snapshot import Snapshots
from mlestar.runners.probe import ask
from mlestar.runners.record import make_mark
from mlestar.runners.threads import call_in_thread
from mlestar.runners.variables import common_variables
from mlestar.runners.watch import run_script
from mlestar.runners.work_folder import delete_folder, make_home_folder, make_work_folder, new_folder_path

_log = logging.getLogger("mlestar.runners")

SHOWN = "/sandbox"
"""What messages of scripts call the work folder, as in the container: the real path differs each time."""


PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""All that a script sees of our environment."""


class LocalRunner:
    """Runs scripts as processes of this user, with limits on time, memory, disk and output.

    Without bubblewrap it protects nothing from hostile code: a script can read this user's files and secrets, reach the
    network, and outlive its keeper if it tries. With bubblewrap a script sees its libraries, its input and its work
    folder, and has no network; it shares the kernel, and memory and processes are watched, not capped.
    """

    name = "local"

    def __init__(
        self,
        python: str = sys.executable,
        *,
        work_dir: Path | None = None,
        bubblewrap: bool | None = None,
        network: bool = False,
    ) -> None:
        """Describe the runner.

        Args:
            python: interpreter that runs the scripts.
            work_dir: parent of the work folders, by default the system's folder for temporary files.
            bubblewrap: whether to use it; by default where it works.
            network: let scripts in bubblewrap reach the network; others always can.
        """
        self._python = python
        self._work_dir = work_dir
        self._wanted = bubblewrap
        self._network = network
        self._bubblewrap: Bubblewrap | None = None
        self._probed = bubblewrap is False
        self._snapshots = Snapshots(new_folder_path(work_dir))
        self._environment: Environment | None = None

    async def warning(self) -> str:
        """Return one line about what this runner does not protect."""
        if await call_in_thread(self._find_bubblewrap):
            hidden = "your files" if self._network else "your files and the network"
            return f"the local runner hides {hidden} from scripts; they share your kernel"
        return "the local runner protects nothing: scripts run as you, with your files and your network"

    async def environment(self) -> Environment:
        """Describe what scripts find."""
        if self._environment is None:
            answer = await ask(self.run, self._work_dir)
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            self._environment = Environment(
                runner=self.name,
                image=self._python,
                python=answer.python,
                packages=answer.packages,
                gpu=answer.gpu,
                cpus=float(_cpus()),
                memory_mb=int(memory * HOST_SHARE / MIB),
                network=self._network or self._bubblewrap is None,
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job; when cancelled, everything it started is killed before this returns.

        Raises:
            RunnerError: the interpreter cannot be started, or the folders cannot be written.
        """
        place, began = new_folder_path(self._work_dir), time.monotonic()
        try:
            bubblewrap = await call_in_thread(self._find_bubblewrap)
            work = await call_in_thread(make_work_folder, place, job.script)
            run = self._run_plain if bubblewrap is None else partial(self._run_in_bubblewrap, bubblewrap)
            output = Output(job.limits.output_mb * MIB)
            end, names = await run(job, place, output)
            seconds = time.monotonic() - began
            execution = await call_in_thread(make_execution, job, work, end, output, seconds)
            _log.info("%s: %s after %.1f s in a local process", job.name or "script", execution.status, seconds)
            return _anonymous(execution, names)
        except UnicodeEncodeError as error:
            return unencodable(error)
        finally:
            await call_in_thread(delete_folder, place)

    async def aclose(self) -> None:
        """Delete the copies of input folders."""
        await asyncio.to_thread(self._snapshots.drop)

    async def _run_plain(self, job: Job, place: Path, output: Output) -> tuple[End, dict[str, str]]:
        """Run without a sandbox; return also what real paths are called in messages."""
        copy = await call_in_thread(self._link_copy, place, job.input)
        variables = _inherited_variables() | common_variables(job.seed, self._share(job), str(place / "home"))
        command = [self._python, "-u", "main.py"]
        child = Child(command, place / "work", variables, job.limits, output, measured_folder=place)
        end = await run_script(child)
        if not await call_in_thread(self._snapshots.intact, copy):
            end = _refuse_writing(end)
        return end, {str(copy): f"{SHOWN}/input", str(place / "work"): SHOWN}

    async def _run_in_bubblewrap(
        self, bubblewrap: Bubblewrap, job: Job, place: Path, output: Output
    ) -> tuple[End, dict[str, str]]:
        await call_in_thread(make_home_folder, place)
        await call_in_thread((place / "work" / "input").mkdir)
        variables = _inherited_variables() | common_variables(job.seed, self._share(job), "/tmp")
        command = bubblewrap.wrap(place, job.input.resolve(), variables)
        mark = make_mark()
        child = Child(command, place, _inherited_variables(), job.limits, output, measured_folder=place, mark=mark)
        return await run_script(child), {}

    def _find_bubblewrap(self) -> Bubblewrap | None:
        """Return the bubblewrap that scripts run in, None where they run without; asks the system once.

        Raises:
            RunnerError: bubblewrap is wanted and does not work, or there is no such interpreter.
        """
        if shutil.which(self._python) is None:
            msg = f"cannot start {self._python}: there is no such program"
            raise RunnerError(msg)
        if not self._probed:
            try:
                self._bubblewrap = find_bubblewrap(self._python, network=self._network)
                _log.info("scripts run in bubblewrap")
            except RunnerError as error:
                _log.info("scripts run without a sandbox: %s", error)
                if self._wanted:
                    raise
            self._probed = True
        return self._bubblewrap

    def _link_copy(self, place: Path, source: Path) -> Path:
        """Make `input` and `home` of an execution; return the copy of its input."""
        (place / "home").mkdir()
        copy = self._snapshots.take(source)
        (place / "work" / "input").symlink_to(copy, target_is_directory=True)
        return copy

    def _share(self, job: Job) -> float:
        return min(job.limits.cpus, _cpus())


def _inherited_variables() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _refuse_writing(end: End) -> End:
    detail = "the script wrote into ./input, which is read-only"
    return replace(end, status="error" if end.status == "ok" else end.status, detail=detail)


def _anonymous(execution: Execution, names: dict[str, str]) -> Execution:
    stdout, stderr = execution.stdout, execution.stderr
    for real, shown in names.items():
        stdout, stderr = stdout.replace(real, shown), stderr.replace(real, shown)
    return replace(execution, stdout=stdout, stderr=stderr)
