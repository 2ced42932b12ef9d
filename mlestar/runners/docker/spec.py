"""What a container is given and denied: the arguments that isolate it."""

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
from mlestar.runners.docker.engine import DEADLINE, OWNER, PLACE, PROCESS, own_process
from mlestar.runners.docker.image import image_folder
from mlestar.runners.limits import CORE_BYTES, MIB
from mlestar.runners.options import Network
from mlestar.runners.variables import common_variables

SANDBOX_UID = 10001
HOME = "/opt/mlestar"
"""Folder of our own files in the container."""
GRACE = 60
"""Seconds after the time limit until anyone may remove a container; it ends itself after half of them."""
IDLE = 600
"""Seconds that a container waits for its script."""
SCRATCH_MB = 512
"""Most that /tmp and /dev/shm may hold; both count as memory, so each gets at most a quarter of it."""


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """Everything that is fixed when a container is made; a waiting one serves only scripts that need the same."""

    image: str
    owner: str
    input: Path
    inode: int
    """Of the input folder: a mount stays with the folder it was made of, whatever takes its name later."""
    limits: Limits
    seed: int
    cpus: float
    runtime: str | None = None
    network: Network = "none"
    gpus: int = 0
    """Devices that the script may use; -1 for all."""
    disk: bool = False
    """Whether the work folder is a file system of its own."""


def sandbox_user() -> tuple[int, int]:
    """Return the ids that scripts run under: the caller's own, who could not delete another's files, but never root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (SANDBOX_UID, SANDBOX_UID)


def arguments(spec: ContainerSpec, place: Path, modules: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the arguments of `containers.create`.

    Args:
        spec: what the container is given.
        place: host folder with `work/` (`disk/work/` where it has a disk of its own) and `home/`.
        modules: what the container imports while it waits for its script.
    """
    return {
        "image": spec.image,
        "entrypoint": ["python"],
        "command": ["-I", "-S", f"{HOME}/supervisor.py", str(IDLE), *modules],
        "runtime": spec.runtime,
        "device_requests": [DeviceRequest(count=spec.gpus, capabilities=[["gpu", "compute", "utility"]])]
        if spec.gpus
        else None,
        "log_config": LogConfig(type="none"),
        # Our end of its input is the container's lifeline: the engine closes it when we are gone.
        "stdin_open": True,
        "tty": False,
        "environment": common_variables(spec.seed, spec.cpus, "/tmp"),
        "labels": {
            OWNER: spec.owner,
            DEADLINE: str(int(time.time() + IDLE + spec.limits.seconds + GRACE)),
            PROCESS: own_process(),
            PLACE: str(place),
        },
        **_walls(spec),
        **_mounts(spec, place),
        **_limits(spec),
    }


def _walls(spec: ContainerSpec) -> dict[str, Any]:
    uid, gid = sandbox_user()
    return {
        "network_mode": spec.network,
        # Otherwise the client copies a proxy's password from the user's settings into the container.
        "use_config_proxy": False,
        "user": f"{uid}:{gid}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={_kernel_calls()}"],
        "privileged": False,
        "ipc_mode": "private",
        "read_only": True,
        "init": True,
    }


@functools.cache
def _kernel_calls() -> str:
    """Return the list of kernel calls that a script may make; the engine wants its text, not its path."""
    return json.dumps(json.loads((image_folder() / "seccomp.json").read_text(encoding="utf-8")))


def _mounts(spec: ContainerSpec, place: Path) -> dict[str, Any]:
    scratch = _scratch(spec.limits)
    return {
        "working_dir": "/sandbox",
        "mounts": [
            Mount("/sandbox", str(place / DISK / "work" if spec.disk else place / "work"), type="bind"),
            Mount("/sandbox/input", str(spec.input), type="bind", read_only=True),
            Mount(HOME, str(place / "home"), type="bind", read_only=True),
        ],
        # Docker's default is noexec, which compilers of kernels at run time cannot use.
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
        "oom_score_adj": 500,
        "ulimits": [
            Ulimit(name="core", soft=CORE_BYTES, hard=CORE_BYTES),
            Ulimit(name="nofile", soft=4096, hard=4096),
            Ulimit(name="fsize", soft=size, hard=size),
        ],
    }


def _scratch(limits: Limits) -> int:
    return min(SCRATCH_MB, limits.memory_mb // 4) * MIB
