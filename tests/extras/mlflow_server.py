"""An environment with MLflow, and its server, started as users start it."""

import os
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.serving import wait_until_served
from tests.unit.paths import ROOT


def make_environment(folder: Path, *what: str) -> Path:
    """Install packages into a new environment, and return its interpreter.

    MLflow allows no pyarrow as new as the tested one.
    """
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (folder / "constraints.txt").write_text("\n".join(line for line in lines if not line.startswith("pyarrow==")))
    uv = Path(sysconfig.get_path("scripts"), "uv")
    subprocess.run([uv, "venv", "--seed", folder / "env"], check=True, capture_output=True)
    interpreter = folder / "env/bin/python"
    options = ["-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt"), *what]
    subprocess.run([interpreter, *options], check=True, capture_output=True)
    return interpreter


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(python: Path, folder: Path, port: int) -> Iterator[str]:
    """Run a server that keeps its data in a folder, and yield its address."""
    command = [str(python.with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]
    with (folder / "log").open("ab") as log:
        # Its background jobs are of features that are not used here.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_served(f"{address}/health", 300)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server has processes of its own
        process.wait(60)
