"""Python environments of other libraries, made once in a cache folder."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlestar.bench.logs import last_line
from mlestar.errors import UserError

CACHE = Path("~/.cache/mlestar/peers")
_READY = "ready.json"
_INSTALL_SECONDS = 3600.0
"""Time limit of an installation. Chosen by judgement; not measured."""
_HOST_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_PREFIX")
"""Environment variables that belong to the interpreter of the host."""


class EnvironmentFault(UserError):
    """An environment cannot be made; the message is one line."""


@dataclass(frozen=True)
class Environment:
    """The environment of a library."""

    name: str
    requirements: tuple[str, ...]
    cache: Path = CACHE

    @property
    def folder(self) -> Path:
        return self.cache.expanduser() / self.name

    def python(self) -> Path:
        """Return the interpreter; the environment is made where it does not exist.

        It is made by `venv` and pip, with the settings of pip on this machine, and used by later benchmarks.

        Raises:
            EnvironmentFault: it cannot be made.
        """
        python = self.folder / "bin" / "python"
        with _locked(self.folder.with_suffix(".lock")):
            if not self._is_ready(python):
                self._make(python)
        return python

    @property
    def versions(self) -> dict[str, str]:
        """The installed packages, and `seconds` that it took to make the environment; empty before that."""
        path = self.folder / _READY
        return json.loads(path.read_text(encoding="utf-8"))["versions"] if path.exists() else {}

    def _is_ready(self, python: Path) -> bool:
        path = self.folder / _READY
        if not (path.exists() and python.exists()):
            return False
        made = json.loads(path.read_text(encoding="utf-8"))
        return bool(made["requirements"] == list(self.requirements) and made["python"] == _python_version())

    def _make(self, python: Path) -> None:
        start = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        log = self.folder.with_suffix(".log")
        self._run([sys.executable, "-m", "venv", str(self.folder)], log)
        _copy_settings(self.folder)
        self._run([str(python), "-m", "pip", "install", *self.requirements], log)
        listing = subprocess.run(
            [str(python), "-m", "pip", "list", "--format=json"],
            capture_output=True,
            text=True,
            check=True,
            env=own_variables(),
        )
        versions = {package["name"]: package["version"] for package in json.loads(listing.stdout)}
        made = {
            "requirements": list(self.requirements),
            "python": _python_version(),
            "seconds": round(time.monotonic() - start, 1),
            "versions": versions,
        }
        (self.folder / _READY).write_text(json.dumps(made, indent=1), encoding="utf-8")

    def _run(self, command: list[str], log: Path) -> None:
        try:
            with log.open("ab") as output:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=own_variables(),
                    timeout=_INSTALL_SECONDS,
                    check=True,
                )
        except subprocess.CalledProcessError:
            msg = f"the environment {self.name} cannot be made ({log}): {last_line(log)}"
            raise EnvironmentFault(msg) from None
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"the environment {self.name} cannot be made ({log}): {error}"
            raise EnvironmentFault(msg) from error


def own_variables() -> dict[str, str]:
    """Return the environment variables of this process, without those of its interpreter."""
    return {name: value for name, value in os.environ.items() if name not in _HOST_VARIABLES}


def _copy_settings(folder: Path) -> None:
    """Copy the settings of pip that belong to the environment of this process."""
    settings = Path(sys.prefix, "pip.conf")
    if settings.is_file():
        shutil.copy(settings, folder / "pip.conf")


def _python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes and threads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
