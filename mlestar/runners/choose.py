"""Choosing a runner by name."""

import asyncio
from pathlib import Path
from typing import Literal

from mlestar.errors import RunnerError, UserError
from mlestar.runners.base import Runner
from mlestar.runners.docker.engine import connect
from mlestar.runners.docker.image import Progress
from mlestar.runners.docker.runner import ContainerOptions, DockerRunner
from mlestar.runners.local.runner import LocalRunner


async def choose_runner(
    name: Literal["auto", "docker", "local"],
    *,
    trusted: bool,
    owner: str = "",
    work_dir: Path | None = None,
    on_progress: Progress | None = None,
    container: ContainerOptions | None = None,
) -> Runner:
    """Return the runner of a name; `auto` takes Docker where an engine answers.

    Args:
        name: `local` is granted to whoever asks for it by name.
        trusted: the scripts come from the built-in offline engineer, so that `auto` may fall back to `local`.
        owner: label of what the runner leaves on the engine, e.g. the run's id.
        work_dir: parent of the work folders.
        container: of the Docker runner; whether scripts reach the network holds for the local one, too.
        on_progress: receives lines about slow preparations, and the local runner's warning.

    Raises:
        UserError: `docker` is asked for, or needed, and no engine answers; one line says what to do.
    """
    reason = "" if name == "local" else await asyncio.to_thread(_why_no_engine)
    if name != "local" and not reason:
        chosen = container or ContainerOptions()
        if on_progress is not None and chosen.network != "none":
            on_progress("NETWORK OPEN: generated scripts can reach the network and this machine's services")
        return DockerRunner(chosen, on_progress=on_progress, owner=owner, work_dir=work_dir)
    if name == "local" or (name == "auto" and trusted):
        local = LocalRunner(work_dir=work_dir, network=container is not None and container.network != "none")
        if on_progress is not None:
            on_progress(await local.warning())
        return local
    way_out = "" if name == "docker" else ", or trust the generated scripts with this machine: `--runner local`"
    msg = f"no Docker engine answers: start one{way_out} ({reason})"
    raise UserError(msg)


def _why_no_engine() -> str:
    """Return the reason why no engine answers, empty when one does."""
    try:
        connect().close()
    except RunnerError as error:
        return str(error)
    return ""
