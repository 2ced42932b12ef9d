"""The local runner: scripts as processes of this user, inside bubblewrap where it works."""

import asyncio
import logging
import os
import shutil
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Gpu, Job
from mlestar.runners.capture import Output
from mlestar.runners.execution import make_execution, unencodable
from mlestar.runners.gpus import NoGpuError, describe_gpus, find_host_gpus, gpu_variables
from mlestar.runners.limits import HOST_SHARE, MIB, End
from mlestar.runners.local.bubblewrap import Bubblewrap, find_bubblewrap
from mlestar.runners.local.device_nodes import device_nodes
from mlestar.runners.local.meter import Meter
from mlestar.runners.local.packages import Environments
from mlestar.runners.local.process import Child
from mlestar.runners.local.snapshot import Signature, Snapshots, signature
from mlestar.runners.options import PACKAGES_DIR, ProgressCallback
from mlestar.runners.probe import probe_interpreter
from mlestar.runners.record import make_mark
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageRequest
from mlestar.runners.threads import call_in_thread, call_until_stopped
from mlestar.runners.variables import WEIGHTS, common_variables, sandbox_folders, weight_variables
from mlestar.runners.watch import run_script
from mlestar.runners.work_folder import delete_folder, make_home_folder, make_work_folder, new_folder_path

_log = logging.getLogger("mlestar.runners")

SHOWN_PATH = "/sandbox"
"""The work folder in the output of scripts, as in the container: the real path differs each time."""
INHERITED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""All that a script gets of this process's environment variables."""


class LocalRunner:
    """Runs scripts as processes of this user, with limits on time, memory, disk and output.

    Without bubblewrap it protects nothing from hostile code: a script can read this user's files and secrets, reach the
    network, and leave processes running if it tries. With bubblewrap a script can read only its libraries, its input
    and its work folder, and has no network; it shares the kernel, and memory and processes are checked at intervals.
    """

    name = "local"

    def __init__(
        self,
        python: str = sys.executable,
        *,
        work_dir: Path | None = None,
        bubblewrap: bool | None = None,
        network: bool = False,
        gpus: int | Literal["auto"] = 0,
        packages_dir: Path = PACKAGES_DIR,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Store the options; bubblewrap is tried on first use.

        Args:
            python: interpreter that runs the scripts.
            work_dir: parent of the work folders, by default the system's folder for temporary files.
            bubblewrap: whether to use it; by default where it works.
            gpus: of a script; `auto` for one where there is any.
            network: let scripts in bubblewrap reach the network; others always can.
            packages_dir: folder for added packages, which runs share.
            on_progress: receives lines while packages are added.
        """
        self._python = python
        self._work_dir = work_dir
        self._requires_bubblewrap = bubblewrap is True
        self._network = network
        self._gpus = gpus
        self._packages_dir = packages_dir
        self._on_progress = on_progress
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
        """Describe where scripts execute."""
        if self._environment is None:
            gpus = await call_in_thread(self._find_gpus)
            interpreter = await probe_interpreter(self.run, self._work_dir)
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            self._environment = Environment(
                runner=self.name,
                image=self._python,
                python=interpreter.python,
                packages=interpreter.packages,
                distributions=interpreter.distributions,
                modules=interpreter.modules,
                broken=interpreter.broken,
                gpu=describe_gpus(gpus),
                gpus=gpus,
                cpus=float(_available_cpus()),
                memory_mb=int(memory * HOST_SHARE / MIB),
                network=self._network or self._bubblewrap is None,
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job; when cancelled, kill everything it started before returning.

        Raises:
            RunnerError: the interpreter cannot be started, or the folders cannot be written.
        """
        folder, started = new_folder_path(self._work_dir), time.monotonic()
        try:
            bubblewrap = await call_in_thread(self._find_bubblewrap)
            work = await call_in_thread(make_work_folder, folder, job.script)
            run = self._run_plain if bubblewrap is None else partial(self._run_in_bubblewrap, bubblewrap)
            output = Output(job.limits.output_mb * MIB)
            meter = Meter(job.gpus)
            await call_in_thread(meter.start)
            try:
                end, shown_paths = await run(job, folder, output)
            finally:
                await call_in_thread(meter.stop)
            end = replace(end, peak_gpu_mb=meter.peak_mb)
            seconds = time.monotonic() - started
            execution = await call_in_thread(make_execution, job, work, end, output, seconds)
            _log.info("%s: %s after %.1f s in a local process", job.name or "script", execution.status, seconds)
            return _replace_paths(execution, shown_paths)
        except UnicodeEncodeError as error:
            return unencodable(error)
        finally:
            await call_in_thread(delete_folder, folder)

    async def resolve(self, request: PackageRequest) -> Lock:
        """Return the versions and hashes of everything that must be added to the interpreter; see `Installer`."""
        return await call_until_stopped(lambda stop: self._environments(stop).resolve(request))

    async def install(self, lock: Lock, limits: InstallLimits) -> str:
        """Return an interpreter with the packages of a lock, made on first use; see `Installer`."""
        return await call_until_stopped(lambda stop: self._environments(stop).install(lock, limits))

    async def aclose(self) -> None:
        """Delete the copies of input folders."""
        await asyncio.to_thread(self._snapshots.delete)

    async def _run_plain(self, job: Job, folder: Path, output: Output) -> tuple[End, dict[str, str]]:
        """Run without a sandbox; return also how real paths appear in the output."""
        copy = await call_in_thread(self._link_copy, folder, job.input)
        home, own = str(folder / "home"), [str(path) for path in job.weight_folders]
        variables = _variables(job, home) | weight_variables(str(job.weights or ""), own, home)
        command = [job.base or self._python, "-u", "main.py"]
        child = Child(command, folder / "work", variables, job.limits, output, measured_folder=folder)
        weights = await call_in_thread(_sign_weights, job)
        end = await run_script(child)
        if not await call_in_thread(self._snapshots.intact, copy):
            end = _refuse_writing(end, "./input")
        if await call_in_thread(_sign_weights, job) != weights:
            end = _refuse_writing(end, "the folder of weights")
        shown = {str(copy): f"{SHOWN_PATH}/input", str(folder / "work"): SHOWN_PATH}
        return end, shown | {str(path): target for target, path in _weights(job).items()}

    async def _run_in_bubblewrap(
        self, bubblewrap: Bubblewrap, job: Job, folder: Path, output: Output
    ) -> tuple[End, dict[str, str]]:
        await call_in_thread(make_home_folder, folder)
        await call_in_thread((folder / "work" / "input").mkdir)
        variables = _variables(job, "/tmp")
        variables |= weight_variables(WEIGHTS if job.weights else "", sandbox_folders(job.weight_folders), "/tmp")
        if job.base:
            bubblewrap = await call_in_thread(bubblewrap.with_python, job.base)
        nodes = await call_in_thread(device_nodes, job.gpus)
        command = bubblewrap.wrap(folder, job.input.resolve(), variables, _weights(job), nodes)
        mark = make_mark()
        child = Child(command, folder, _inherited_variables(), job.limits, output, measured_folder=folder, mark=mark)
        return await run_script(child), {}

    def _find_gpus(self) -> tuple[Gpu, ...]:
        """Return the devices that are asked for; with `auto` none where there is none."""
        if not self._gpus:
            return ()
        try:
            return find_host_gpus()
        except NoGpuError as error:
            if self._gpus != "auto":
                raise
            _log.info("gpus=auto: scripts get no GPU; %s", error)
            return ()

    def _environments(self, stop: threading.Event) -> Environments:
        return Environments(
            python=self._python,
            work_dir=self._work_dir,
            cache=self._packages_dir.expanduser(),
            report=self._on_progress or (lambda line: None),
            stop=stop,
        )

    def _find_bubblewrap(self) -> Bubblewrap | None:
        """Return the bubblewrap of scripts, None when they run without; try it once.

        Raises:
            RunnerError: bubblewrap is required and does not work, or there is no such interpreter.
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
                if self._requires_bubblewrap:
                    raise
            self._probed = True
        return self._bubblewrap

    def _link_copy(self, folder: Path, source: Path) -> Path:
        """Create `input` and `home` in an execution's folder; return the copy of its input."""
        (folder / "home").mkdir()
        copy = self._snapshots.take(source)
        (folder / "work" / "input").symlink_to(copy, target_is_directory=True)
        return copy


def _inherited_variables() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}


def _variables(job: Job, home: str) -> dict[str, str]:
    return _inherited_variables() | common_variables(job.seed, _cpu_share(job), home) | gpu_variables(job.gpus)


def _weights(job: Job) -> dict[str, Path]:
    """Return the host folders of weights by their paths in a sandbox."""
    declared = {} if job.weights is None else {WEIGHTS: job.weights}
    return declared | dict(zip(sandbox_folders(job.weight_folders), job.weight_folders, strict=True))


def _cpu_share(job: Job) -> float:
    return min(job.limits.cpus, _available_cpus())


def _available_cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _sign_weights(job: Job) -> Signature | None:
    """Return what changes when a script writes into the declared weights, which other scripts read, too."""
    return None if job.weights is None else signature(job.weights)


def _refuse_writing(end: End, where: str) -> End:
    detail = f"the script wrote into {where}, which is read-only"
    return replace(end, status="error" if end.status == "ok" else end.status, detail=detail)


def _replace_paths(execution: Execution, shown_paths: dict[str, str]) -> Execution:
    stdout, stderr = execution.stdout, execution.stderr
    for real, shown in shown_paths.items():
        stdout, stderr = stdout.replace(real, shown), stderr.replace(real, shown)
    return replace(execution, stdout=stdout, stderr=stderr)
