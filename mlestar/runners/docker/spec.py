"""The arguments that create a container: its isolation, mounts and limits."""

import errno
import functools
import json
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
from mlestar.runners.variables import WEIGHTS, common_variables, sandbox_folders, weight_variables
from mlestar.runners.work_folder import HOME

NETWORK_SOCKETS = "Sockets of a network"
"""Comment of the rules of `seccomp.json` that apply only with a network."""
GRACE_SECONDS = 60
"""Time after the time limit at which any process may remove a container; its supervisor ends it after half of that.
Chosen by judgement; not measured."""
IDLE_SECONDS = 600
"""Time that a container waits for its script. Chosen by judgement; not measured."""
PENDING_SIGNALS = 4096
"""Timers and queued signals of a container's user. Chosen by judgement; not measured."""

WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
"""Variables of a script without a GPU. With the second one CUDA images request all devices, and get them from an engine
whose default runtime is NVIDIA's."""


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
    gpus: tuple[str, ...] = ()
    """UUIDs of the devices that the script may use; `all` for all."""
    disk: bool = False
    """Whether the work folder has a file system to itself."""
    own_user: bool = False
    """Whether the container has a user id to itself."""
    weights: Path | None = None
    """Folder of the weights that the script declares."""
    weight_folders: tuple[Path, ...] = ()
    """Folders with the user's own weights."""


def container_arguments(
    spec: ContainerSpec, folder: Path, user: tuple[int, int], modules: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the arguments of `containers.create`.

    Args:
        spec: of the container.
        folder: the execution's folder with `work/` (`disk/work/` where it has a disk) and `home/`.
        user: user and group id of its processes.
        modules: what the container imports while it waits for its script.
    """
    return {
        "image": spec.image,
        "entrypoint": ["python"],
        "command": ["-I", "-S", f"{HOME}/supervisor.py", str(IDLE_SECONDS), *modules],
        "runtime": spec.runtime,
        "device_requests": _device_requests(spec.gpus),
        "log_config": LogConfig(type="none"),
        # The engine closes the container's input when this process ends, and the supervisor then ends the container.
        "stdin_open": True,
        "tty": False,
        "environment": common_variables(spec.seed, spec.cpus, "/tmp")
        | _weight_variables(spec)
        | ({} if spec.gpus else WITHOUT_GPU),
        "labels": {
            OWNER_LABEL: spec.owner,
            DEADLINE_LABEL: str(int(time.time() + IDLE_SECONDS + spec.limits.seconds + GRACE_SECONDS)),
            PROCESS_LABEL: process_name(),
            FOLDER_LABEL: str(folder),
        },
        "user": f"{user[0]}:{user[1]}",
        **_isolation(spec),
        **_mounts(spec, folder),
        **_limits(spec),
    }


def _device_requests(gpus: tuple[str, ...]) -> list[DeviceRequest] | None:
    if not gpus:
        return None
    devices: dict[str, Any] = {"count": -1} if gpus == ("all",) else {"device_ids": [*gpus]}
    return [DeviceRequest(**devices, capabilities=[["gpu", "compute", "utility"]])]


def _isolation(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "network_mode": spec.network,
        # Otherwise the client copies a proxy's address and password from the user's settings into the container.
        "use_config_proxy": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={_seccomp_profile(spec.network)}"],
        "privileged": False,
        "ipc_mode": "private",
        "read_only": True,
        # The supervisor is process 1, which no script can kill or stop. It ignores the engine's usual signal as well.
        "init": False,
        "stop_signal": "SIGKILL",
    }


@functools.cache
def _seccomp_profile(network: Network) -> str:
    """Return the system calls that a script may make, as text: the engine takes no path.

    Without network there are no sockets of the internet either: what waits in their buffers is part of no container's
    memory with cgroup v1, and each connection to the script itself can take megabytes.
    """
    profile = json.loads((image_folder() / "seccomp.json").read_text(encoding="utf-8"))
    for rule in profile["syscalls"]:
        if network == "none" and rule["comment"] == NETWORK_SOCKETS:
            rule |= {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENETUNREACH}
    return json.dumps(profile)


def _mounts(spec: ContainerSpec, folder: Path) -> dict[str, Any]:
    scratch = min(SCRATCH_MB, spec.limits.memory_mb // 4) * MIB
    work = folder / DISK / "work" if spec.disk else folder / "work"
    return {
        "working_dir": "/sandbox",
        "mounts": [
            Mount("/sandbox", str(work), type="bind"),
            Mount("/sandbox/input", str(spec.input), type="bind", read_only=True),
            Mount(HOME, str(folder / "home"), type="bind", read_only=True),
            *_weight_mounts(spec),
        ],
        # Docker's default is noexec, with which libraries cannot compile code at run time.
        "tmpfs": {
            "/tmp": f"rw,exec,nosuid,nodev,size={scratch},mode=1777",
            # No terminals: all containers share 3,072, and their buffers are part of no container's memory.
            "/dev/pts": "ro,nosuid,nodev,noexec,size=4096,mode=555",
        },
        "shm_size": scratch,
    }


def _weight_mounts(spec: ContainerSpec) -> list[Mount]:
    sources = ([] if spec.weights is None else [spec.weights]) + list(spec.weight_folders)
    targets = ([] if spec.weights is None else [WEIGHTS]) + sandbox_folders(spec.weight_folders)
    pairs = zip(targets, sources, strict=True)
    return [Mount(target, str(source), type="bind", read_only=True) for target, source in pairs]


def _weight_variables(spec: ContainerSpec) -> dict[str, str]:
    return weight_variables(WEIGHTS if spec.weights else "", sandbox_folders(spec.weight_folders), "/tmp")


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
            Ulimit(name="sigpending", soft=PENDING_SIGNALS, hard=PENDING_SIGNALS),
        ],
    }
