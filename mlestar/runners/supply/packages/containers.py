"""The containers that run pip: one resolves and one downloads, with network; a third installs, without network.

None has task data, secrets of this process, or the run folder. The first two have the index settings of this machine's
pip.
"""

import json
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from docker.client import DockerClient
from docker.types import LogConfig, Mount, Ulimit

from mlestar.errors import RunnerError
from mlestar.files import read_regular
from mlestar.runners.docker.engine import (
    DEADLINE_LABEL,
    FOLDER_LABEL,
    OWNER_LABEL,
    PROCESS_LABEL,
    engine_errors,
    process_name,
    remove_container,
)
from mlestar.runners.docker.users import common_user
from mlestar.runners.limits import MIB
from mlestar.runners.supply.packages.explain import explain
from mlestar.runners.supply.packages.index import IndexSettings
from mlestar.runners.supply.packages.lock import InstallLimits
from mlestar.runners.supply.packages.sharing import read_end, too_slow, used_bytes
from mlestar.runners.supply.packages.wheels import too_large
from mlestar.runners.work_folder import HOME, change_owner

PROGRAM = Path(__file__).parents[2] / "inside" / "supply.py"
"""Runs pip in the container."""
POLL_SECONDS = 0.2
"""Time between two checks of a container that runs pip. Chosen by judgement; not measured."""
MEMORY_MB = 2048
"""Memory of pip; resolving takes 100 to 300 MB. Chosen by judgement; not measured."""
PIDS = 256
GRACE_SECONDS = 60
"""Time after its time limit at which any process may remove a container. Chosen by judgement; not measured."""
FOLDER_FACTOR = 3
"""MB that the folder of a resolver may have per MB of packages: pip keeps a file while it reads it, in its cache, and
as the download. Chosen by judgement; not measured."""
FOLDER_MB = 100
"""MB beyond that: pages of the index, and output of pip. Chosen by judgement; not measured."""
_VARIABLES = {"HOME": "/tmp", "LANG": "C.UTF-8", "PIP_USER": "0"}
_INSTALL_VARIABLES = {**_VARIABLES, "TMPDIR": "/build", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": "/dev/null"}
MAX_LOG = 2**24
"""Bytes of pip's output that are read, from its end. Chosen by judgement; not measured."""


@dataclass(frozen=True, kw_only=True)
class PipJob:
    """One run of pip in a container."""

    action: Literal["resolve", "fetch", "install"]
    values: dict[str, Any]
    """What `inside/supply.py` reads."""
    requirements: tuple[str, ...]
    """What messages name."""
    limits: InstallLimits
    deadline: float
    """By `time.monotonic`."""
    index: IndexSettings | None = None
    """Of a container with network; None for one without."""
    wheels: Path | None = None
    """Host folder of the wheels that are installed."""


@dataclass(frozen=True, kw_only=True)
class PipContainer:
    """Runs one job in a new container; its methods block."""

    client: DockerClient
    image: str
    owner: str
    folder: Path
    """Host folder for it alone: `supply/`, which pip writes, and `home/`."""
    stop: threading.Event
    """Set when nobody waits for the result any more."""

    def run(self, job: PipJob, name: str) -> dict[str, Any]:
        """Run a job and return its result; the container remains, for `remove`.

        Raises:
            PackageError: the packages cannot be supplied.
            RunnerError: no package can be supplied now.
        """
        self._prepare(job)
        with engine_errors():
            self.client.containers.create(name=name, **self._arguments(job))
            self.client.api.start(name)
        self._wait(job, name)
        result = self._result()
        if result is None or result.get("status") != 0:
            raise explain(read_end(self.folder / "supply" / "log.txt", MAX_LOG), job.requirements)
        return result

    def remove(self, name: str) -> None:
        """Remove the container of a job."""
        with engine_errors():
            remove_container(self.client, name)

    def _prepare(self, job: PipJob) -> None:
        home, supply = self.folder / "home", self.folder / "supply"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROGRAM, home / "supply.py")
        values = {"action": job.action, "source_builds": job.limits.source_builds, "variables": {}, **job.values}
        if job.index is None:
            # An image that is made of the container has its environment, but no file of a mount.
            values["variables"] = _INSTALL_VARIABLES
        text = json.dumps(values)
        (home / "job.json").write_text(text, encoding="utf-8")
        for path in (home, *home.iterdir()):
            path.chmod(0o755)
        for name in ("tmp", "wheels"):
            (supply / name).mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "log.txt"):
            (supply / name).unlink(missing_ok=True)
        if job.index is not None:
            change_owner(supply, common_user().ids)

    def _arguments(self, job: PipJob) -> dict[str, Any]:
        size = _folder_mb(job.limits) * MIB
        return {
            "image": self.image,
            "entrypoint": ["python"],
            "command": ["-I", f"{HOME}/supply.py"],
            "network_mode": "none" if job.index is None else "bridge",
            # Otherwise the client copies a proxy of the user's settings, with its password.
            "use_config_proxy": False,
            "cap_drop": ["ALL"],
            # The installer has root's rights on files of the image, whoever owns them, and on nothing else.
            "cap_add": ["DAC_OVERRIDE"] if job.index is None else [],
            "security_opt": ["no-new-privileges"],
            "privileged": False,
            "ipc_mode": "private",
            "read_only": job.index is not None,
            "working_dir": "/supply",
            "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={64 * MIB},mode=1777"},
            "mem_limit": MEMORY_MB * MIB,
            "memswap_limit": MEMORY_MB * MIB,
            "pids_limit": PIDS,
            "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="fsize", soft=size, hard=size)],
            "log_config": LogConfig(type="none"),
            "labels": {
                OWNER_LABEL: self.owner,
                DEADLINE_LABEL: str(int(time.time() + job.deadline - time.monotonic() + GRACE_SECONDS)),
                PROCESS_LABEL: process_name(),
                FOLDER_LABEL: str(self.folder),
            },
            **(self._install_arguments(job) if job.index is None else self._fetch_arguments(job.index)),
        }

    def _fetch_arguments(self, index: IndexSettings) -> dict[str, Any]:
        uid, gid = common_user().ids
        return {
            "user": f"{uid}:{gid}",
            "environment": {
                **_VARIABLES,
                "TMPDIR": "/supply/tmp",
                "PIP_CACHE_DIR": "/supply/cache",
                **index.variables,
            },
            "mounts": [*self._mounts(), *(_mount(target, path) for target, path in index.mounts.items())],
        }

    def _install_arguments(self, job: PipJob) -> dict[str, Any]:
        wheels = [_mount("/supply/wheels", job.wheels)] if job.wheels else []
        return {
            "user": "0:0",
            # The files of root that pip leaves when it is killed go with the container, but for those right in /supply.
            "mounts": [*self._mounts(), Mount("/build", None, type="volume"), *wheels],
        }

    def _mounts(self) -> list[Mount]:
        return [
            Mount("/supply", str(self.folder / "supply"), type="bind"),
            Mount(HOME, str(self.folder / "home"), type="bind", read_only=True),
        ]

    def _wait(self, job: PipJob, name: str) -> None:
        """Wait until pip has ended.

        Raises:
            PackageError: it took too long, or wrote too much.
            RunnerError: nobody waits any more.
        """
        supply, size = self.folder / "supply", _folder_mb(job.limits) * MIB
        while True:
            with engine_errors():
                state = self.client.api.inspect_container(name)["State"]
            if not state["Running"]:
                return
            if self.stop.is_set():
                raise RunnerError("adding packages was stopped")
            if time.monotonic() > job.deadline:
                raise too_slow(job.requirements, job.limits)
            if used_bytes(supply) > size:
                raise too_large(job.limits)
            self.stop.wait(POLL_SECONDS)

    def _result(self) -> dict[str, Any] | None:
        try:
            result = json.loads(read_regular(self.folder / "supply" / "result.json"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) else None


def _mount(target: str, path: Path) -> Mount:
    return Mount(target, str(path.resolve()), type="bind", read_only=True)


def _folder_mb(limits: InstallLimits) -> int:
    return limits.mb * FOLDER_FACTOR + FOLDER_MB
