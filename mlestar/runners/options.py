"""Options of runners, and the function that makes one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlestar.runners.base import Runner

ProgressCallback = Callable[[str], None]
PACKAGES_DIR = Path("~/.cache/mlestar/packages")
"""Where added packages are kept, unless the settings say otherwise."""
Network = Literal["none", "bridge"]


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """What may differ between containers besides a job's limits."""

    image: str = "base"
    """A variant of the sandbox image (`base`, `torch`, `gpu`), built when it is missing, `auto` for one that suits the
    data, or any other image with Python that the engine has."""
    data: str = ""
    """Kind of the task's data, from which `auto` picks an image."""
    network: Network = "none"
    """`bridge` lets scripts reach the network, and with it this machine's services."""
    gpus: int | Literal["auto"] = 0
    """GPUs of a script; -1 for all; `auto` for one where there is any."""
    runtime: str | None = None
    """Another OCI runtime that the engine has, e.g. `runsc` (gVisor)."""
    warm: int = 0
    """Containers that wait for their script with its libraries imported, about 100 to 300 MB each."""


@dataclass(frozen=True, kw_only=True)
class RunnerOptions:
    """The only argument of a `RunnerFactory`."""

    owner: str = ""
    """Label of what the runner creates elsewhere (containers, jobs of a cluster), e.g. the run's id."""
    work_dir: Path | None = None
    """Parent of the work folders; None for the system's folder for temporary files."""
    on_progress: ProgressCallback | None = None
    """Receives lines about slow preparations."""
    container: ContainerOptions = ContainerOptions()
    """The settings `image`, `network`, `gpus`, `runtime` and `warm`, for runners to which they apply."""
    packages_dir: Path = PACKAGES_DIR
    """Folder for added packages, which runs share."""


RunnerFactory = Callable[[RunnerOptions], Runner]
"""A class or function that makes a runner: what `package.module:Name` names."""
