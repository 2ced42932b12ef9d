"""The kinds of runners that execute scripts, as the tests of runners and the hostile scripts use them."""

import sys
from pathlib import Path
from typing import Literal

import docker
import pytest

from mlestar.errors import RunnerError
from mlestar.runners import ContainerOptions, DockerRunner, LocalRunner, Runner
from mlestar.runners.docker.engine import OWNER_LABEL
from mlestar.runners.local.bubblewrap import find_bubblewrap

RunnerKind = Literal["docker", "warm", "bubblewrap", "local"]


def _bubblewrap_problem() -> str:
    """Return why bubblewrap does not work here, empty when it does."""
    try:
        find_bubblewrap(sys.executable)
    except RunnerError as error:
        return str(error)
    return ""


BUBBLEWRAP_PROBLEM = _bubblewrap_problem()
MARKS: dict[RunnerKind, tuple[pytest.MarkDecorator, ...]] = {
    "docker": (pytest.mark.docker,),
    "warm": (pytest.mark.docker,),
    "bubblewrap": (pytest.mark.skipif(bool(BUBBLEWRAP_PROBLEM), reason=BUBBLEWRAP_PROBLEM),),
    "local": (),
}
"""What each kind needs."""


def make_runner(kind: RunnerKind, owner: str, work: Path) -> Runner:
    if kind in ("docker", "warm"):
        return DockerRunner(owner=owner, work_dir=work, options=ContainerOptions(warm=int(kind == "warm")))
    return LocalRunner(work_dir=work, bubblewrap=kind == "bubblewrap")


def containers_of(owner: str, *, running: bool = False) -> list[str]:
    """Return the names of an owner's containers, of all or of the running ones."""
    client = docker.from_env()
    try:
        containers = client.containers.list(all=not running, filters={"label": f"{OWNER_LABEL}={owner}"})
        return [str(container.name) for container in containers]
    finally:
        client.close()
