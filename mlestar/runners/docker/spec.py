"""The arguments that create a container: its isolation, mounts and limits."""

import functools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from mlestar.runners.base import Limits
from mlestar.runners.docker.disk import DISK
from mlestar.runners.docker.engine import DEADLINE_LABEL, FOLDER_LABEL, OWNER_LABEL, PROCESS_LABEL, process_name
from mlestar.runners.docker.image import image_folder
from mlestar.runners.limits import CORE_BYTES, MIB, OOM_SCORE, OPEN_FILES, SCRATCH_MB
from mlestar.runners.options import Network
from mlestar.runners.variables import common_variables
from mlestar.runners.work_folder import HOME, SANDBOX_UID

GRACE_SECONDS = 60
"""Time after the time limit at which any process may remove a container; its supervisor ends it after half of that.
Chosen by judgement; not measured."""
IDLE_SECONDS = 600
"""Time that a container waits for its script. Chosen by judgement; not measured."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything that is fixed when a container is created; a waiting one runs only scripts that need the same."""

    image: str
    owner: str
    input: Path
    inode: int
    """Of the input folder: a mount keeps showing the folder it was made of when another one gets its name later."""
    limits: Limits
    seed: int
    cpus: float
    runtime: str | None = None
    network: Network = "none"
    gpus: int = 0
    """Devices that the script may use; -1 for all."""
    disk: bool = False
    """Whether the work folder has a file system to itself."""


def sandbox_user() -> tuple[int, int]:
    """Return the user and group id of scripts: those of this process, which must delete their files, but never root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (SANDBOX_UID, SANDBOX_UID)


def container_arguments(spec: ContainerSpec, folder: Path, modules: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the arguments of `containers.create`.

    Args:
        spec: of the container.
        folder: the execution's folder with `work/` (`disk/work/` where it has a disk) and `home/`.
        modules: what the container imports while it waits for its script.
    """
    gpus = [DeviceRequest(count=spec.gpus, capabilities=[["gpu", "compute", "utility"]])]
    return {
        "image": spec.image,
        "entrypoint": ["python"],
        "command": ["-I", "-S", f"{HOME}/supervisor.py", str(IDLE_SECONDS), *modules],
        "runtime": spec.runtime,
        "device_requests": gpus if spec.gpus else None,
        "log_config": LogConfig(type="none"),
        # The engine closes the container's input when this process ends, and the supervisor then ends the container.
        "stdin_open": True,
        "tty": False,
        "environment": common_variables(spec.seed, spec.cpus, "/tmp"),
        "labels": {
            OWNER_LABEL: spec.owner,
            DEADLINE_LABEL: str(int(time.time() + IDLE_SECONDS + spec.limits.seconds + GRACE_SECONDS)),
            PROCESS_LABEL: process_name(),
            FOLDER_LABEL: str(folder),
        },
        **_isolation(spec),
        **_mounts(spec, folder),
        **_limits(spec),
    }


def _isolation(spec: ContainerSpec) -> dict[str, Any]:
    uid, gid = sandbox_user()
    return {
        "network_mode": spec.network,
        # Otherwise the client copies a proxy's address and password from the user's settings into the container.
        "use_config_proxy": False,
        "user": f"{uid}:{gid}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={_seccomp_profile()}"],
        "privileged": False,
        "ipc_mode": "private",
        "read_only": True,
        "init": True,
    }


@functools.cache
def _seccomp_profile() -> str:
    """Return the system calls that a script may make, as text: the engine takes no path."""
    return json.dumps(json.loads((image_folder() / "seccomp.json").read_text(encoding="utf-8")))


def _mounts(spec: ContainerSpec, folder: Path) -> dict[str, Any]:
    scratch = min(SCRATCH_MB, spec.limits.memory_mb // 4) * MIB
    work = folder / DISK / "work" if spec.disk else folder / "work"
    return {
        "working_dir": "/sandbox",
        "mounts": [
            Mount("/sandbox", str(work), type="bind"),
            Mount("/sandbox/input", str(spec.input), type="bind", read_only=True),
            Mount(HOME, str(folder / "home"), type="bind", read_only=True),
        ],
        # Docker's default is noexec, with which libraries cannot compile code at run time.
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={scratch},mode=1777"},
        "shm_size": scratch,
    }


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    limits, size = spec.limits, spec.limits.disk_mb * MIB
    return {
        "mem_limit": limits.memory_mb * MIB,
        "memswap_limit": limits.memory_mb * MIB,
        "nano_cpus": int(spec.cpus * 1e9),
        "pids_limit": limits.pids,
        "oom_score_adj": OOM_SCORE,
        "ulimits": [
            Ulimit(name="core", soft=CORE_BYTES, hard=CORE_BYTES),
            Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
            Ulimit(name="fsize", soft=size, hard=size),
        ],
    }
