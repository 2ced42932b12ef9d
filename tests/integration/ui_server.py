"""`mlestar ui` in a process of its own, for tests of the page."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.integration.command import mlestar_command

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\?token=\S+")
SECONDS = 120


@contextmanager
def served(runs: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the address that the command prints.

    Args:
        runs: the runs folder, in whose parent the command works.
        settings: of the environment, by their names.
    """
    env = {**os.environ, **{f"MLESTAR_{name.upper()}": value for name, value in (settings or {}).items()}}
    command = mlestar_command("ui", "--runs-dir", runs)
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=runs.parent
    )
    try:
        yield _address(server)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=SECONDS)


def _address(server: subprocess.Popen[str]) -> str:
    said = ""
    for line in server.stdout or ():
        said += line
        if found := ADDRESS.search(said):
            return found.group()
    msg = f"the command ended: {said}"
    raise AssertionError(msg)
