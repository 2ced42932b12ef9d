"""The Docker runner: every script in a fresh container without network."""

import asyncio
import logging
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from docker.client import DockerClient

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Job
from mlestar.runners.docker.container import Container
from mlestar.runners.docker.disk import can_mount
from mlestar.runners.docker.engine import connect, engine_address, engine_errors, free_memory, reap
from mlestar.runners.docker.image import VARIANTS, build_image, find_image, read_recipe
from mlestar.runners.docker.pool import Pool
from mlestar.runners.docker.spec import ContainerSpec
from mlestar.runners.execution import make_execution, unencodable
from mlestar.runners.imports import leading_imports
from mlestar.runners.limits import HOST_SHARE, MIB
from mlestar.runners.options import ContainerOptions, ProgressCallback
from mlestar.runners.probe import ask
from mlestar.runners.threads import call_in_thread
from mlestar.runners.watch import run_script
from mlestar.runners.work_folder import check_readable, new_folder_path

_log = logging.getLogger("mlestar.runners")


@dataclass(frozen=True)
class Engine:
    """A connection, the image's digest, and what the engine's machine has."""

    client: DockerClient
    image: str
    cpus: int
    memory_mb: int
    disks: bool
    """Whether work folders have disks of their own."""


class DockerRunner:
    """Runs every script in a container of its own: no network, read-only input, no secrets, hard limits."""

    name = "docker"

    def __init__(
        self,
        options: ContainerOptions | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        owner: str = "",
        work_dir: Path | None = None,
    ) -> None:
        """Describe the runner; the engine is called on first use.

        Args:
            options: what may differ from the defaults.
            on_progress: receives lines while the image is built.
            owner: label of the containers, e.g. the run's id.
            work_dir: parent of the work folders; the engine must be able to mount it.
        """
        self._on_progress = on_progress
        self._owner = owner
        self._work_dir = work_dir
        self._options = options or ContainerOptions()
        self._pool = Pool(self._options.warm, self._make, free_memory)
        self._opening = threading.Lock()
        self._stopped = threading.Event()
        self._engine: Engine | None = None
        self._environment: Environment | None = None

    async def warning(self) -> str:
        """Return one line about an open network, empty when there is none."""
        if self._options.network == "none":
            return ""
        return "NETWORK OPEN: generated scripts can reach the network and this machine's services"

    async def environment(self) -> Environment:
        """Describe what scripts find; builds the image on first use."""
        if self._environment is None:
            engine = await self._ready()
            answer = await ask(self.run, self._work_dir)
            self._environment = Environment(
                runner=self.name,
                image=engine.image,
                python=answer.python,
                packages=answer.packages,
                gpu=answer.gpu,
                cpus=float(engine.cpus),
                memory_mb=engine.memory_mb,
                network=self._options.network != "none",
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job in a container of its own; a cancelled one is killed and removed before this returns.

        Raises:
            RunnerError: the engine is lost or refuses, or the input cannot be read.
        """
        began = time.monotonic()
        try:
            source = job.script.encode("utf-8")
        except UnicodeEncodeError as error:
            return unencodable(error)
        engine = await self._ready()
        spec = await call_in_thread(self._spec, engine, job)
        imports = leading_imports(job.script) if self._options.warm else ()
        container = self._pool.take(spec, imports)
        warm = container is not None
        container = container or self._make(spec, (), job.name)
        container.script = source
        try:
            end = await run_script(container)
            seconds = time.monotonic() - began
            execution = await call_in_thread(make_execution, job, container.work, end, container.output, seconds)
        finally:
            await call_in_thread(container.delete_folder)
        start = "warm" if warm else "cold"
        status, name = execution.status, job.name or "script"
        _log.info("%s: %s after %.1f s in a container, %s start", name, status, seconds, start)
        self._pool.refill(spec, imports)
        return execution

    @property
    def waiting(self) -> int:
        """How many containers wait for their script."""
        return self._pool.waiting

    async def aclose(self) -> None:
        """Remove the waiting containers and close the connection."""
        await call_in_thread(self._pool.close)
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.client.close)

    def _spec(self, engine: Engine, job: Job) -> ContainerSpec:
        folder = job.input.resolve()
        try:
            check_readable(folder, skip=new_folder_path(self._work_dir))
            inode = folder.stat().st_ino
        except OSError as error:
            msg = f"cannot read the input folder {folder}: {error}"
            raise RunnerError(msg) from error
        return ContainerSpec(
            image=engine.image,
            owner=self._owner,
            input=folder,
            inode=inode,
            limits=job.limits,
            seed=job.seed,
            cpus=min(job.limits.cpus, engine.cpus),
            runtime=self._options.runtime,
            network=self._options.network,
            gpus=self._options.gpus,
            disk=engine.disks,
        )

    def _make(self, spec: ContainerSpec, modules: tuple[str, ...], label: str = "waiting") -> Container:
        if self._engine is None:
            msg = "the runner is closed"
            raise RunnerError(msg)
        return Container(self._engine.client, spec, new_folder_path(self._work_dir), label=label, modules=modules)

    async def _ready(self) -> Engine:
        if self._engine is not None:
            return self._engine
        self._stopped.clear()
        try:
            return await asyncio.to_thread(self._open)
        except asyncio.CancelledError:
            self._stopped.set()
            raise

    def _open(self) -> Engine:
        with self._opening:
            if self._engine is None:
                client = connect()
                try:
                    self._engine = self._inspect(client)
                except BaseException:
                    client.close()
                    raise
            return self._engine

    def _inspect(self, client: DockerClient) -> Engine:
        reap(client)
        wanted = self._options.image
        variant = next((name for name in VARIANTS if name == wanted), None)
        recipe = read_recipe(variant) if variant else None
        with engine_errors():
            info = client.info()
            _check_runtime(self._options.runtime, info.get("Runtimes") or {})
            image = find_image(client, recipe.tag if recipe else wanted)
            if image is None and recipe is not None:
                image = build_image(client, recipe, self._report)
        if image is None:
            msg = f"the engine has no image {wanted!r}: pull or build it first"
            raise RunnerError(msg)
        disks = can_mount(engine_address(), self._work_dir)
        engine = Engine(client, image, int(info["NCPU"]), int(info["MemTotal"] * HOST_SHARE / MIB), disks)
        _log.info("Docker engine: %d CPUs, %d MiB, image %s", engine.cpus, engine.memory_mb, engine.image)
        _log.info("work folders %s", "have disks of their own" if disks else "are measured")
        return engine

    def _report(self, line: str) -> None:
        if self._stopped.is_set():
            msg = "building the sandbox image was stopped"
            raise RunnerError(msg)
        if self._on_progress is not None:
            self._on_progress(line)


def _check_runtime(wanted: str | None, known: Collection[str]) -> None:
    """Refuse a runtime that the engine lacks before minutes go into building an image."""
    if wanted is not None and wanted not in known:
        msg = f"the engine has no runtime {wanted!r}, only {', '.join(sorted(known))}: install it there or leave the "
        msg += "setting `runtime` empty"
        raise RunnerError(msg)
