"""The Docker runner: every script in a new container without network."""

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.client import DockerClient

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Gpu, Job
from mlestar.runners.docker.auto_image import describe_choice, has_gpus, pick_variant
from mlestar.runners.docker.container import Container
from mlestar.runners.docker.disk import can_mount, shares_mounts
from mlestar.runners.docker.engine import (
    connect,
    engine_address,
    engine_errors,
    free_memory_mb,
    remove_stale_containers,
)
from mlestar.runners.docker.image import VARIANTS, ImageVariant, build_image, find_image, read_recipe
from mlestar.runners.docker.pool import Pool
from mlestar.runners.docker.spec import ContainerSpec
from mlestar.runners.docker.users import can_claim_users
from mlestar.runners.execution import make_execution, unencodable
from mlestar.runners.gpus import NoGpuError, describe_gpus, find_sandbox_gpus
from mlestar.runners.imports import leading_imports
from mlestar.runners.limits import HOST_SHARE, MIB
from mlestar.runners.options import PACKAGES_DIR, ContainerOptions, ProgressCallback
from mlestar.runners.probe import probe_interpreter
from mlestar.runners.supply.packages.layers import Layers, open_layers
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageRequest
from mlestar.runners.threads import call_in_thread, call_until_stopped
from mlestar.runners.watch import run_script
from mlestar.runners.work_folder import check_readable, new_folder_path

_log = logging.getLogger("mlestar.runners")


@dataclass(frozen=True)
class Engine:
    """A connection to the engine, the digest of the image, and what the engine's machine has."""

    client: DockerClient
    image: str
    cpus: int
    memory_mb: int
    mounts_disks: bool
    """Whether each work folder has a file system to itself."""
    separates_users: bool
    """Whether each container has a user id to itself."""


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
        packages_dir: Path = PACKAGES_DIR,
    ) -> None:
        """Store the options; the engine is called on first use.

        Args:
            options: what differs from the defaults.
            on_progress: receives lines while the image is built.
            owner: label of the containers, e.g. the run's id.
            work_dir: parent of the work folders; the engine must be able to mount it.
            packages_dir: folder for added packages, which runs share.
        """
        self._on_progress = on_progress
        self._owner = owner
        self._work_dir = work_dir
        self._packages_dir = packages_dir
        self._options = options or ContainerOptions()
        self._pool = Pool(self._options.warm, self._make, free_memory_mb)
        self._connecting = threading.Lock()
        self._cancelled = threading.Event()
        self._engine: Engine | None = None
        self._environment: Environment | None = None

    async def warning(self) -> str:
        """Return one line about an open network, empty when there is none."""
        if self._options.network == "none":
            return ""
        return "NETWORK OPEN: generated scripts can reach the network and this machine's services"

    async def environment(self) -> Environment:
        """Describe where scripts execute; on first use, build the image."""
        if self._environment is None:
            engine = await self._connected()
            gpus = await self._find_gpus()
            interpreter = await probe_interpreter(self.run, self._work_dir)
            self._environment = Environment(
                runner=self.name,
                image=engine.image,
                python=interpreter.python,
                packages=interpreter.packages,
                distributions=interpreter.distributions,
                modules=interpreter.modules,
                broken=interpreter.broken,
                gpu=describe_gpus(gpus),
                gpus=gpus,
                cpus=float(engine.cpus),
                memory_mb=engine.memory_mb,
                network=self._options.network != "none",
            )
        return self._environment

    async def gpus(self) -> tuple[Gpu, ...]:
        """Return the devices that containers can get.

        Raises:
            NoGpuError: there is none, and why.
            RunnerError: the engine is lost.
        """
        return await find_sandbox_gpus(self.run, self._work_dir)

    async def run(self, job: Job) -> Execution:
        """Execute a job in a container of its own; when cancelled, remove the container before returning.

        Raises:
            RunnerError: the engine is lost or refuses, or the input cannot be read.
        """
        started = time.monotonic()
        try:
            source = job.script.encode("utf-8")
        except UnicodeEncodeError as error:
            return unencodable(error)
        engine = await self._connected()
        spec = await call_in_thread(self._make_spec, engine, job)
        imports = leading_imports(job.script) if self._options.warm else ()
        container = self._pool.take(spec, imports)
        warm = container is not None
        container = container or self._make(spec, (), job.name)
        container.script = source
        try:
            end = await run_script(container)
            seconds = time.monotonic() - started
            execution = await call_in_thread(make_execution, job, container.work, end, container.output, seconds)
        finally:
            await call_in_thread(container.delete_folder)
        start = "warm" if warm else "cold"
        status, name = execution.status, job.name or "script"
        _log.info("%s: %s after %.1f s in a container, %s start", name, status, seconds, start)
        self._pool.refill(spec, imports)
        return execution

    async def _find_gpus(self) -> tuple[Gpu, ...]:
        """Return the devices that are asked for; with `auto` none where there is none."""
        if not self._options.gpus:
            return ()
        try:
            return await self.gpus()
        except NoGpuError as error:
            if self._options.gpus != "auto":
                raise
            self._report(f"gpus=auto: scripts get no GPU; {error}")
            return ()

    async def resolve(self, request: PackageRequest) -> Lock:
        """Return the versions and hashes of everything that must be added to the image; see `Installer`."""
        engine = await self._connected()

        def resolve(stop: threading.Event) -> Lock:
            with self._layers(engine, stop) as layers:
                return layers.resolve(request)

        return await call_until_stopped(resolve)

    async def install(self, lock: Lock, limits: InstallLimits) -> str:
        """Return the image with the packages of a lock, built on first use; see `Installer`."""
        engine = await self._connected()

        def install(stop: threading.Event) -> str:
            with self._layers(engine, stop) as layers:
                return layers.install(lock, limits)

        return await call_until_stopped(install)

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

    def _layers(self, engine: Engine, stop: threading.Event) -> AbstractContextManager[Layers]:
        return open_layers(
            engine.image,
            owner=self._owner,
            work_dir=self._work_dir,
            cache=self._packages_dir.expanduser(),
            report=self._on_progress or (lambda line: None),
            stop=stop,
        )

    def _make_spec(self, engine: Engine, job: Job) -> ContainerSpec:
        folder = job.input.resolve()
        try:
            check_readable(folder, skip=new_folder_path(self._work_dir))
            inode = folder.stat().st_ino
        except OSError as error:
            msg = f"cannot read the input folder {folder}: {error}"
            raise RunnerError(msg) from error
        for own in job.weight_folders:
            check_readable(own, skip=new_folder_path(self._work_dir))
        return ContainerSpec(
            image=job.base or engine.image,
            owner=self._owner,
            input=folder,
            inode=inode,
            limits=job.limits,
            seed=job.seed,
            cpus=min(job.limits.cpus, engine.cpus),
            runtime=self._options.runtime,
            network=self._options.network,
            gpus=tuple(gpu.uuid for gpu in job.gpus),
            disk=engine.mounts_disks,
            own_user=engine.separates_users,
            weights=job.weights,
            weight_folders=job.weight_folders,
        )

    def _make(self, spec: ContainerSpec, modules: tuple[str, ...], label: str = "waiting") -> Container:
        if self._engine is None:
            msg = "the runner is closed"
            raise RunnerError(msg)
        return Container(self._engine.client, spec, new_folder_path(self._work_dir), label=label, modules=modules)

    async def _connected(self) -> Engine:
        if self._engine is not None:
            return self._engine
        self._cancelled.clear()
        try:
            return await asyncio.to_thread(self._connect)
        except asyncio.CancelledError:
            self._cancelled.set()
            raise

    def _connect(self) -> Engine:
        with self._connecting:
            if self._engine is None:
                client = connect()
                try:
                    self._engine = self._inspect(client)
                except BaseException:
                    client.close()
                    raise
            return self._engine

    def _inspect(self, client: DockerClient) -> Engine:
        remove_stale_containers(client)
        with engine_errors():
            info = client.info()
            _check_runtime(self._options.runtime, info.get("Runtimes") or {})
            image = self._find_or_build(client, info)
        memory_mb = int(info["MemTotal"] * HOST_SHARE / MIB)
        mounts_disks = can_mount(engine_address(), self._work_dir)
        separates_users = shares_mounts(engine_address()) and can_claim_users(info.get("SecurityOptions") or ())
        engine = Engine(client, image, int(info["NCPU"]), memory_mb, mounts_disks, separates_users)
        _log.info("Docker engine: %d CPUs, %d MiB, image %s", engine.cpus, engine.memory_mb, engine.image)
        _log.info("containers have %s", "user ids of their own" if separates_users else "one user id together")
        _log.info("work folders %s", "have disks of their own" if mounts_disks else "are measured")
        return engine

    def _find_or_build(self, client: DockerClient, info: Mapping[str, Any]) -> str:
        """Return the digest of the image; a variant that is missing is built."""
        name = self._options.image
        is_auto = name == "auto"
        gpu = is_auto and bool(self._options.gpus) and has_gpus(info)
        variant = pick_variant(self._options.data, gpu=gpu) if is_auto else _as_variant(name)
        recipe = read_recipe(variant) if variant else None
        image = find_image(client, recipe.tag if recipe else name)
        if is_auto and variant:
            size = float(client.images.get(image).attrs["Size"]) if image else None
            self._report(describe_choice(variant, self._options.data, gpu=gpu, size=size))
        if image is None and recipe is not None:
            image = build_image(client, recipe, self._report)
        if image is None:
            msg = f"the engine has no image {name!r}: pull or build it first"
            raise RunnerError(msg)
        return image

    def _report(self, line: str) -> None:
        if self._cancelled.is_set():
            msg = "building the sandbox image was stopped"
            raise RunnerError(msg)
        if self._on_progress is not None:
            self._on_progress(line)


def _as_variant(name: str) -> ImageVariant | None:
    return next((variant for variant in VARIANTS if variant == name), None)


def _check_runtime(runtime: str | None, available: Collection[str]) -> None:
    """Refuse a runtime that the engine lacks before an image is built, which takes minutes."""
    if runtime is not None and runtime not in available:
        msg = f"the engine has no runtime {runtime!r}, only {', '.join(sorted(available))}: install it there or leave "
        msg += "the setting `runtime` empty"
        raise RunnerError(msg)
