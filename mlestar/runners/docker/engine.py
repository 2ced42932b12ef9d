"""The Docker engine: connecting, asking whether it answers, and removing what dead processes left."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.client import DockerClient
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from mlestar.errors import RunnerError
from mlestar.runners.docker.image import VARIANTS, find_image, image_tag
from mlestar.runners.gpus import NoGpuError
from mlestar.runners.work_folder import delete_folder, is_execution_folder

_log = logging.getLogger("mlestar.runners")

OWNER_LABEL = "mlestar.owner"
DEADLINE_LABEL = "mlestar.deadline"
PROCESS_LABEL = "mlestar.process"
FOLDER_LABEL = "mlestar.folder"
"""Labels of a container: the run; the time in seconds since the epoch after which it may be removed; the process that
created it; and its folder on the machine of that process."""

NO_GPU = {
    "could not select device driver": "install NVIDIA's container toolkit on its machine",
    "nvidia-container-cli": "NVIDIA's driver does not work on its machine: repair it until nvidia-smi runs there",
    "GPU vendor": "install NVIDIA's driver and container toolkit on its machine",
    "unresolvable CDI devices": "write its list of devices again with `nvidia-ctk cdi generate`",
}
"""Parts of the engine's error messages about GPUs, and what to do about them."""

CLIENT_ERRORS = (DockerException, RequestException, OSError)
"""All that the Docker client raises."""


@dataclass(frozen=True)
class EngineStatus:
    """Whether scripts can run in containers here, as shown by `mlestar doctor`."""

    reachable: bool
    version: str = ""
    image: str = ""
    """Tag of the sandbox image that belongs to this version of the package."""
    image_present: bool = False
    reason: str = ""
    """Why the engine does not answer, one line."""


@contextmanager
def engine_errors() -> Iterator[None]:
    """Raise whatever the Docker client raises as `RunnerError`."""
    try:
        yield
    except CLIENT_ERRORS as error:
        reason = error.explanation if isinstance(error, APIError) and error.explanation else error
        line = " ".join(str(reason).split())[:500]
        advice = next((advice for part, advice in NO_GPU.items() if part in line), "")
        if advice:
            msg = f"the Docker engine offers no GPU ({line}): {advice}, or set gpus=0"
            raise NoGpuError(msg) from error
        msg = f"the Docker engine failed: {line}"
        raise RunnerError(msg) from error


def connect() -> DockerClient:
    """Return a client for the engine that the environment or the default socket names.

    Raises:
        RunnerError: no engine answers.
    """
    with engine_errors():
        client = _client()
        try:
            client.ping()
        except BaseException:
            client.close()
            raise
        _log.debug("connected to the Docker engine")
        return client


def engine_address() -> str:
    """Return where the `docker` command would find the engine: by `DOCKER_HOST`, else by the current context.

    Docker Desktop, Colima and rootless engines name their socket in a context and may lack the default one.
    """
    context = None if os.environ.get("DOCKER_HOST") else ContextAPI.get_current_context()
    return str(context.Host) if context else os.environ.get("DOCKER_HOST", "")


def _client() -> DockerClient:
    address = engine_address()
    if not address.startswith("unix://"):
        return docker.from_env()
    # The client leaks a socket whenever nothing listens, so that is checked first.
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address.removeprefix("unix://"))
        except OSError as error:
            msg = f"nothing listens at {address} ({error.strerror})"
            raise RunnerError(msg) from error
    return DockerClient(base_url=address)


async def probe_docker(image: str = "base") -> EngineStatus:
    """Ask whether an engine answers and has an image; `auto` stands for the smallest that it may pick."""
    return await asyncio.to_thread(_probe, image)


def _probe(image: str) -> EngineStatus:
    variant = next((name for name in VARIANTS if name == image), "base" if image == "auto" else None)
    tag = image_tag(variant) if variant else image
    try:
        client = connect()
    except RunnerError as error:
        return EngineStatus(reachable=False, image=tag, reason=str(error))
    try:
        with engine_errors():
            version = str(client.version().get("Version", ""))
            return EngineStatus(
                reachable=True, version=version, image=tag, image_present=find_image(client, tag) is not None
            )
    except RunnerError as error:
        return EngineStatus(reachable=False, image=tag, reason=str(error))
    finally:
        client.close()


def free_memory_mb() -> int | None:
    """Return the free memory of the engine's machine in MiB, None where it is another machine or does not report it."""
    if not engine_address().startswith("unix://"):
        return None
    try:
        rows = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(rows["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError):
        return None


def process_name(pid: int | None = None) -> str:
    """Return a name for a process, by default this one, that no later process on this machine shares."""
    pid = os.getpid() if pid is None else pid
    try:
        # The 20th field after the command name: when the process started, in ticks since boot.
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        started = ""
    return f"{socket.gethostname()}/{pid}/{started}"


def remove_stale_containers(client: DockerClient) -> list[str]:
    """Remove containers past their deadline or of a dead process, with their folders; return their names."""
    with engine_errors():
        containers = client.api.containers(all=True, filters={"label": DEADLINE_LABEL})
        stale = [container for container in containers if _is_stale(container["Labels"])]
        for container in stale:
            remove_container(client, container["Id"])
            folder = Path(container["Labels"].get(FOLDER_LABEL, ""))
            if is_execution_folder(folder):
                delete_folder(folder)
    if stale:
        _log.info("removed %d containers that dead processes left", len(stale))
    return [container["Names"][0].lstrip("/") for container in stale]


def _is_stale(labels: dict[str, str]) -> bool:
    deadline = labels.get(DEADLINE_LABEL, "")
    if deadline.isdigit() and int(deadline) < time.time():
        return True
    name = labels.get(PROCESS_LABEL, "")
    host, _, rest = name.partition("/")
    pid = rest.partition("/")[0]
    # Whether a process runs on another machine, or in another container, cannot be determined from here.
    return host == socket.gethostname() and pid.isdigit() and not is_running(name)


def is_running(name: str) -> bool:
    """Whether the process of this machine that has this `process_name` still runs."""
    try:
        pid = int(name.split("/")[1])
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, ValueError, IndexError):  # a label may have any text
        return False
    except PermissionError:
        pass
    return process_name(pid) == name


def remove_container(client: DockerClient, container: str) -> None:
    """Kill and remove a container; that it is already removed, or being removed, is no error."""
    try:
        client.api.remove_container(container, force=True, v=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409:  # removal is in progress
            raise
