"""The command line of the package, in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping

SECONDS = 280
"""Time limit of a command: below the 300 s that pytest allows a test, so that its output is in the failure."""


def mlestar_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mlestar", *map(str, arguments)]


def run_mlestar(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = mlestar_command(*arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS, env=env)
