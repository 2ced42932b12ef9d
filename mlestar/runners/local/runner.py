"""The local runner: scripts as processes of this user, inside bubblewrap where it works."""

import asyncio
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
from mlestar.runners.local.bubblewrap import Bubblewrap, find_bubblewrap
from mlestar.runners.local.process import Child
from mlestar.runners.local.snapshot import Snapshots
from mlestar.runners.probe import ask
from mlestar.runners.record import cut_record, make_mark, make_order, take_record
from mlestar.runners.watch import (
    HOST_SHARE,
    MIB,
    End,
    common_variables,
    conclude,
    exit_end,
    finish,
    full_disk,
    over_limit,
    unwritable,
    watch,
)
from mlestar.runners.workplace import make_workplace, measure, name_workplace, put_own_files, scrub

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
        self._seal: Bubblewrap | None = None
        self._probed = bubblewrap is False
        self._snapshots = Snapshots(name_workplace(work_dir))
        self._environment: Environment | None = None

    async def warning(self) -> str:
        """Return one line about what this runner does not protect."""
        if await finish(self._find_seal):
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
                isolation="bubblewrap" if self._seal else "none",
                network=self._network or self._seal is None,
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job; when cancelled, everything it started is killed before this returns.

        Raises:
            RunnerError: the interpreter cannot be started, or the folders cannot be written.
        """
        place, began = name_workplace(self._work_dir), time.monotonic()
        try:
            seal = await finish(self._find_seal)
            work = await finish(make_workplace, place, job.script)
            run = self._run_open if seal is None else partial(self._run_sealed, seal)
            output = Output(job.limits.output_mb * MIB)
            end, names = await run(job, place, output)
            execution = await finish(conclude, job, work, end, output, time.monotonic() - began)
            return _anonymous(execution, names)
        except UnicodeEncodeError as error:
            return unwritable(error)
        finally:
            await finish(scrub, place)

    async def aclose(self) -> None:
        """Delete the copies of input folders."""
        await asyncio.to_thread(self._snapshots.drop)

    async def _run_open(self, job: Job, place: Path, output: Output) -> tuple[End, dict[str, str]]:
        """Run without a sandbox; return also what real paths are called in messages."""
        copy = await finish(self._link_copy, place, job.input)
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        variables = common_variables(job.seed, self._share(job), str(place / "home"))
        command = [self._python, "-u", "main.py"]
        child = Child(command, place / "work", passed | variables, job.limits, output)
        end = await self._supervise(child, place) or exit_end(child.code, child.peak or None)
        if not await finish(self._snapshots.intact, copy):
            end = _refuse_writing(end)
        return end, {str(copy): f"{SHOWN}/input", str(place / "work"): SHOWN}

    async def _run_sealed(self, seal: Bubblewrap, job: Job, place: Path, output: Output) -> tuple[End, dict[str, str]]:
        await finish(put_own_files, place)
        await finish((place / "work" / "input").mkdir)
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        variables = passed | common_variables(job.seed, self._share(job), "/tmp")
        mark = make_mark()
        order = make_order(mark, job.limits.seconds + 30)
        command = seal.wrap(place, job.input.resolve(), variables)
        child = Child(command, place, passed, job.limits, output, order)
        end = await self._supervise(child, place)
        if end is None and (found := take_record(output, mark, child.code, job.limits)):
            return replace(found, peak_memory=max(found.peak_memory or 0, child.peak)), {}
        cut_record(output, mark)
        return end or End("killed", child.code, "the script's supervisor ended before the script did"), {}

    async def _supervise(self, child: Child, place: Path) -> End | None:
        """Return the end that we brought about, None for a script that ended by itself."""
        try:
            await finish(child.start)
            began, limits = time.monotonic(), child.limits

            def look() -> End | None:
                found = over_limit(limits, time.monotonic() - began, child.output, measure(place))
                return found or full_disk(place) or child.look()

            return await watch(child.ended, limits.seconds, look, child.abort)
        finally:
            await finish(child.dispose)

    def _find_seal(self) -> Bubblewrap | None:
        """Return how scripts are sealed, None when they are not; asks the system once.

        Raises:
            RunnerError: bubblewrap is wanted and does not work, or there is no such interpreter.
        """
        if shutil.which(self._python) is None:
            msg = f"cannot start {self._python}: there is no such program"
            raise RunnerError(msg)
        if not self._probed:
            try:
                self._seal = find_bubblewrap(self._python, network=self._network)
            except RunnerError:
                if self._wanted:
                    raise
            self._probed = True
        return self._seal

    def _link_copy(self, place: Path, source: Path) -> Path:
        """Make `input` and `home` of an execution; return the copy of its input."""
        (place / "home").mkdir()
        copy = self._snapshots.take(source)
        (place / "work" / "input").symlink_to(copy, target_is_directory=True)
        return copy

    def _share(self, job: Job) -> float:
        return min(job.limits.cpus, _cpus())


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
