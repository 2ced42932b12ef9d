"""The Docker runner: every script in a fresh container without network."""

import asyncio
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from docker.client import DockerClient

from mlestar.errors import RunnerError
from mlestar.runners.base import Environment, Execution, Job
from mlestar.runners.capture import Output
from mlestar.runners.container import Box, Container, check_readable, sandbox_user
from mlestar.runners.engine import connect, engine_errors, reap
from mlestar.runners.image import Progress, build_image, find_image, image_tag
from mlestar.runners.probe import ask
from mlestar.runners.watch import HOST_SHARE, MIB, End, conclude, finish, over_limit, unwritable, watch
from mlestar.runners.workplace import hand_over, make_workplace, measure, name_workplace, scrub


@dataclass(frozen=True)
class Engine:
    """A connection, the image's digest, and what the engine's machine has."""

    client: DockerClient
    image: str
    cpus: int
    memory_mb: int


class DockerRunner:
    """Runs every script in a container of its own: no network, read-only input, no secrets, hard limits."""

    name = "docker"

    def __init__(
        self,
        image: str | None = None,
        *,
        on_progress: Progress | None = None,
        owner: str = "",
        work_dir: Path | None = None,
        runtime: str | None = None,
    ) -> None:
        """Describe the runner; the engine is called on first use.

        Args:
            image: an image with Python to use instead of the sandbox image that this package builds.
            on_progress: receives lines while the image is built.
            owner: label of the containers, e.g. the run's id.
            work_dir: parent of the work folders; the engine must be able to mount it.
            runtime: another OCI runtime that the engine knows, e.g. `runsc` (gVisor).
        """
        self._wanted = image
        self._on_progress = on_progress
        self._owner = owner
        self._work_dir = work_dir
        self._runtime = runtime
        self._opening = threading.Lock()
        self._stopped = threading.Event()
        self._engine: Engine | None = None
        self._environment: Environment | None = None

    async def environment(self) -> Environment:
        """Describe what scripts find; builds the image on first use."""
        if self._environment is None:
            engine = await self._ready()
            python, packages = await ask(self.run, self._work_dir)
            self._environment = Environment(
                runner=self.name,
                image=engine.image,
                python=python,
                packages=packages,
                cpus=float(engine.cpus),
                memory_mb=engine.memory_mb,
            )
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Execute a job in a fresh container; a cancelled one is killed and removed before this returns.

        Raises:
            RunnerError: the engine is lost or refuses, or the input cannot be read.
        """
        engine = await self._ready()
        place = name_workplace(self._work_dir)
        try:
            work = await finish(_furnish, place, job)
            output = Output(job.limits.output_mb * MIB)
            began = time.monotonic()
            end = await self._supervise(engine, job, place, output)
            return await finish(conclude, job, work, end, output, time.monotonic() - began)
        except UnicodeEncodeError as error:
            return unwritable(error)
        finally:
            await finish(scrub, place)

    async def aclose(self) -> None:
        """Close the connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.client.close)

    async def _supervise(self, engine: Engine, job: Job, place: Path, output: Output) -> End:
        box = Box(
            image=engine.image,
            owner=self._owner,
            place=place,
            cpus=min(job.limits.cpus, engine.cpus),
            runtime=self._runtime,
        )
        container = Container(engine.client, box, job, output)
        try:
            await finish(container.start)
            began = time.monotonic()

            def look() -> End | None:
                return over_limit(job.limits, time.monotonic() - began, output, measure(place / "work"))

            if found := await watch(container.ended, job.limits.seconds, look):
                return found
            return await finish(container.wait)
        finally:
            await finish(container.dispose)

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
        with engine_errors():
            info = client.info()
            image = find_image(client, self._wanted or image_tag())
        if image is None and self._wanted is not None:
            msg = f"the engine has no image {self._wanted!r}: pull or build it first"
            raise RunnerError(msg)
        return Engine(client, image or self._build(client), int(info["NCPU"]), int(info["MemTotal"] * HOST_SHARE / MIB))

    def _build(self, client: DockerClient) -> str:
        with engine_errors():
            return build_image(client, self._report)

    def _report(self, line: str) -> None:
        if self._stopped.is_set():
            msg = "building the sandbox image was stopped"
            raise RunnerError(msg)
        if self._on_progress is not None:
            self._on_progress(line)


def _furnish(place: Path, job: Job) -> Path:
    """Make the host folder of an execution and return its work folder."""
    check_readable(job.input, avoid=place)
    work = make_workplace(place, job.script)
    (work / "input").mkdir()
    shutil.copyfile(Path(__file__).with_name("supervisor.py"), place / "supervisor.py")
    (place / "supervisor.py").chmod(0o444)
    hand_over(work, sandbox_user())
    return work
