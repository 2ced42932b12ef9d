"""Where a predictor executes: a container of the exported folder's image, or a process of this machine."""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from mlestar.errors import OperatorError, first_line
from mlestar.export.alone.process import PredictorProcess, kept_variables
from mlestar.export.alone.sums import SUMS

logger = logging.getLogger("mlestar_model")

BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from mlestar_model.worker import main; del sys.path[0]; "
    "main(sys.argv[1])"
)
"""Imports only from the exported folder: the working folder and packages of the user are not on the path."""
ISOLATION = (
    "--network=none",
    "--read-only",
    "--tmpfs=/tmp:rw,nosuid,nodev,size=1g",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=256",
    "--memory=4g",
    "--memory-swap=4g",
)
"""Restrictions of a predictor's container. The limits are chosen by judgement; not measured."""
_KILL_SECONDS = 30


def in_process(folder: Path, seconds: float, *, log: bool = False) -> PredictorProcess:
    """Return a process on this machine with the rights of this process, but without its environment variables."""
    command = [sys.executable, "-I", "-c", BOOT, str(folder)]
    return PredictorProcess(lambda: command, environment=kept_variables(), seconds=seconds, log=log)


def in_container(folder: Path, seconds: float, *, log: bool = False) -> PredictorProcess:
    """Return a container without network; its image is built if the engine lacks it.

    Raises:
        OperatorError: there is no engine, or the build fails.
    """
    docker = find_docker()
    image = ensure_image(docker, folder)
    running: list[str] = []

    def command() -> list[str]:
        running[:] = [f"mlestar-model-{uuid.uuid4().hex[:16]}"]
        run = [docker, "run", "--rm", "--interactive", f"--name={running[0]}", *ISOLATION]
        return [*run, "--entrypoint=python", image, "-I", "-c", BOOT, "/model"]

    def kill() -> None:
        for name in running:
            _call([docker, "kill", name])

    # These variables tell the command `docker` where the engine is.
    return PredictorProcess(command, environment=dict(os.environ), seconds=seconds, log=log, on_kill=kill)


def find_docker() -> str:
    """Return the path of the command `docker`.

    Raises:
        OperatorError: there is none.
    """
    docker = shutil.which("docker")
    if docker is None:
        msg = (
            "the predictor is generated code and executes in a container, but the command `docker` is missing: install "
            'Docker, or trust the code and load the model with execution="process"'
        )
        raise OperatorError(msg)
    return docker


def image_of(folder: Path) -> str:
    """Return the name of the image of an exported folder: a hash of all its files."""
    return f"mlestar-model:{hashlib.sha256((folder / SUMS).read_bytes()).hexdigest()[:24]}"


def ensure_image(docker: str, folder: Path) -> str:
    """Return the name of the image of a folder, which is built if the engine lacks it.

    Raises:
        OperatorError: the engine does not answer, or the build fails.
    """
    image = image_of(folder)
    if _call([docker, "image", "inspect", image]).returncode == 0:
        return image
    logger.info("building the image %s (once; minutes)", image)
    done = subprocess.run([docker, "build", "--tag", image, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [""]
        msg = f"`docker build` of the exported folder failed: {first_line(lines[-1])}"
        raise OperatorError(msg)
    return image


def _call(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_KILL_SECONDS)
    except subprocess.TimeoutExpired as error:
        msg = f"the container engine does not answer: `{' '.join(command[1:3])}` took more than {_KILL_SECONDS} s"
        raise OperatorError(msg) from error
