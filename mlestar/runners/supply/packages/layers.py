"""Adding packages to a sandbox image: one cached layer for each lock."""

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.client import DockerClient

from mlestar.errors import RunnerError
from mlestar.files import sha256_of
from mlestar.runners.docker.engine import connect, engine_errors
from mlestar.runners.docker.image import find_image
from mlestar.runners.supply.names import INSTALLERS
from mlestar.runners.supply.packages.containers import PROGRAM, PipContainer, PipJob
from mlestar.runners.supply.packages.index import read_index_settings
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageRequest, locked
from mlestar.runners.supply.packages.sharing import check_count, exclusively
from mlestar.runners.supply.packages.wheels import Wheel, check_wheels
from mlestar.runners.work_folder import delete_folder, make_folders, new_folder_path

_log = logging.getLogger("mlestar.runners")

REPOSITORY = "mlestar-packages"
"""Name of the images with added packages; the tag is the key of the lock."""
LOCK_LABEL = "mlestar.lock"
COMMIT_SECONDS = 600
"""Within which the engine must answer: it makes a layer of gigabytes in minutes. Chosen by judgement; not measured."""


@contextlib.contextmanager
def open_layers(
    image: str, *, owner: str, work_dir: Path | None, cache: Path, report: Callable[[str], None], stop: threading.Event
) -> Iterator["Layers"]:
    """Yield what adds packages to an image, with a connection to the engine of its own.

    Raises:
        RunnerError: no engine answers.
    """
    client = connect()
    client.api.timeout = COMMIT_SECONDS
    try:
        yield Layers(client=client, image=image, owner=owner, work_dir=work_dir, cache=cache, report=report, stop=stop)
    finally:
        client.close()


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Adds packages to one image of an engine; its methods block."""

    client: DockerClient
    image: str
    """Digest."""
    owner: str
    work_dir: Path | None
    cache: Path
    """Host folder of the files that keep two processes from building one layer at once."""
    report: Callable[[str], None]
    stop: threading.Event

    def resolve(self, request: PackageRequest) -> Lock:
        """Return the versions and hashes of everything that must be added.

        Raises:
            PackageError: the packages cannot be supplied.
            RunnerError: no package can be supplied now.
        """
        started = time.monotonic()
        index = read_index_settings()
        values = {
            "requirements": request.requirements,
            "provided": dict(request.provided),
            "unpinned": INSTALLERS,
            "constraints": index.constraints,
        }
        job = PipJob(
            action="resolve",
            values=values,
            requirements=request.requirements,
            limits=request.limits,
            deadline=started + request.limits.seconds,
            index=index,
        )
        with self._container() as (container, name):
            rows = container.run(job, name).get("packages", [])
        lock = Lock(tuple(locked(row["name"], row["version"], row["hashes"]) for row in rows))
        check_count(lock, request.limits)
        _log.info("resolved %s in %.1f s", ", ".join(request.requirements), time.monotonic() - started)
        return lock

    def install(self, lock: Lock, limits: InstallLimits) -> str:
        """Return the digest of the image with the packages of a lock, which is built unless the engine has it.

        Raises:
            PackageError: the packages cannot be supplied.
            RunnerError: no package can be supplied now.
        """
        tag = layer_tag(self.image, lock)
        with engine_errors():
            if image := find_image(self.client, tag):
                return image
        with exclusively(self.cache, tag.partition(":")[2], self.stop):
            with engine_errors():
                if image := find_image(self.client, tag):
                    return image
            started = time.monotonic()
            names = ", ".join(f"{package.name} {package.version}" for package in lock.packages)
            self.report(f"adding packages to the sandbox (once): {names}")
            image = self._build(lock, limits, tag)
            self.report(f"added packages to the sandbox in {time.monotonic() - started:.1f} s")
            return image

    def _build(self, lock: Lock, limits: InstallLimits, tag: str) -> str:
        deadline = time.monotonic() + limits.seconds
        names = tuple(package.name for package in lock.packages)
        with self._container() as (fetching, name):
            values: dict[str, Any] = {"lock": lock.text}
            job = PipJob(
                action="fetch",
                values=values,
                requirements=names,
                limits=limits,
                deadline=deadline,
                index=read_index_settings(),
            )
            fetching.run(job, name)
            folder = fetching.folder / "supply" / "wheels"
            wheels = check_wheels(folder, lock, limits)
            with self._container() as (installing, installer):
                _install(installing, installer, wheels, folder, limits, deadline, names)
                return self._commit(installer, lock, tag)

    def _commit(self, container: str, lock: Lock, tag: str) -> str:
        """Make an image of what an installer has written, with the settings of the image it started from."""
        with engine_errors():
            config = self.client.images.get(self.image).attrs["Config"]
            labels = {**(config.get("Labels") or {}), LOCK_LABEL: tag.partition(":")[2]}
            repository, _, version = tag.partition(":")
            self.client.api.commit(container, repository, version, conf={**config, "Labels": labels})
            image = find_image(self.client, tag)
        if image is None:
            msg = f"the engine made {tag} but does not list it"
            raise RunnerError(msg)
        return image

    @contextlib.contextmanager
    def _container(self) -> Iterator[tuple[PipContainer, str]]:
        """Yield a container that is not created yet and its name; remove it and its folder at the end."""
        folder = new_folder_path(self.work_dir)
        make_folders(folder, "supply")
        container = PipContainer(client=self.client, image=self.image, owner=self.owner, folder=folder, stop=self.stop)
        name = f"mlestar-packages-{secrets.token_hex(6)}"
        try:
            yield container, name
        finally:
            try:
                container.remove(name)
            finally:
                delete_folder(folder)


def layer_tag(image: str, lock: Lock) -> str:
    """Return the name of an image with the packages of a lock: another installer makes another one."""
    return f"{REPOSITORY}:{lock.key(f'{image} {sha256_of(PROGRAM)}')}"


def _install(
    container: PipContainer,
    name: str,
    wheels: list[Wheel],
    folder: Path,
    limits: InstallLimits,
    deadline: float,
    requirements: tuple[str, ...],
) -> None:
    for wheel in wheels:
        wheel.path.chmod(0o644)
    job = PipJob(
        action="install",
        values={"files": [(wheel.path.name, wheel.sha256) for wheel in wheels]},
        requirements=requirements,
        limits=limits,
        deadline=deadline,
        wheels=folder,
    )
    container.run(job, name)
