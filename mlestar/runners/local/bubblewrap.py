"""Bubblewrap: a sandbox for processes where there is no engine. Linux only; running it shows whether it works."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.limits import MIB, SCRATCH_MB
from mlestar.runners.work_folder import HOME, SANDBOX_UID

SYSTEM_PATHS = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
"""Paths of this machine that scripts can read, besides those of the interpreter."""
RESOLVER_PATHS = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki")
"""Further paths, which scripts need to resolve names on the network."""
ISOLATION = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    # Not bubblewrap but the supervisor is process 1, whose memory and descriptors no script can open.
    *("--disable-userns", "--new-session", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"),
    *("--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_UID), "--hostname", "sandbox"),
)
_SHOW_PREFIXES = "import json, sys; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix]))"

COMMAND_SECONDS = 60
"""Time within which a supervisor must get the command to run its script. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Bubblewrap:
    """Runs an interpreter that can read only its libraries, its work folder and its input."""

    python: str
    folders: tuple[str, ...]
    """Folders with the interpreter and its libraries."""
    network: bool = False
    """Whether scripts reach the network."""

    def with_python(self, python: str) -> "Bubblewrap":
        """Return the same for an interpreter with more packages, which also needs the folders of this one."""
        path = Path(python)
        return replace(self, python=str(path), folders=(*self.folders, str(path.parents[1])))

    def wrap(
        self,
        folder: Path,
        source: Path,
        environment: dict[str, str],
        weights: Mapping[str, Path] | None = None,
        nodes: Iterable[str] = (),
    ) -> list[str]:
        """Return the command that runs the supervisor of a script.

        Args:
            folder: the execution's folder with `work/` and `home/`.
            source: host folder that becomes `./input`.
            environment: all environment variables of the script.
            weights: host folders of weights by their paths in the sandbox.
            nodes: device files that it may use besides the usual ones.
        """
        folders = [part for path, own in (weights or {}).items() for part in ("--ro-bind", str(own), path)]
        variables = [part for name, value in environment.items() for part in ("--setenv", name, value)]
        binds = [
            *("--bind", str(folder / "work"), "/sandbox"),
            *("--ro-bind", str(source), "/sandbox/input"),
            *("--ro-bind", str(folder / "home"), HOME),
            *folders,
            *(part for node in nodes for part in ("--dev-bind", node, node)),
        ]
        # The root and /dev are file systems in memory without a limit on their size, so they become read-only.
        read_only = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/sandbox"]
        program = [self.python, "-I", "-S", f"{HOME}/supervisor.py", str(COMMAND_SECONDS)]
        return [*_isolation(self.network), *variables, *_system(self.folders), *binds, *read_only, *program]


def find_bubblewrap(python: str, *, network: bool = False) -> Bubblewrap:
    """Return a working bubblewrap for an interpreter.

    Args:
        python: the interpreter.
        network: whether scripts reach the network.

    Raises:
        RunnerError: it does not work here; the message says why.
    """
    if sys.platform != "linux" or os.getuid() == 0:
        # Root's scripts keep root's rights on the files of /proc in any user namespace: they could write the kernel's
        # settings there. Nor does a limit on processes apply to root.
        msg = "bubblewrap needs Linux and a user who is not root"
        raise RunnerError(msg)
    try:
        show = [python, "-I", "-c", _SHOW_PREFIXES]
        shown = subprocess.run(show, capture_output=True, text=True, check=True, timeout=60)
        executable, *folders = json.loads(shown.stdout)
        command = [*_isolation(network), *_system(tuple(folders)), executable, "-I", "-c", "pass"]
        test = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        msg = f"bubblewrap does not work here: {error}"
        raise RunnerError(msg) from error
    if test.returncode != 0:
        msg = f"bubblewrap does not work here: {' '.join(test.stderr.split())[-300:]}"
        raise RunnerError(msg)
    return Bubblewrap(executable, tuple(folders), network)


def _isolation(network: bool) -> list[str]:
    """Return the command and the arguments that isolate a script."""
    if not network:
        return ["bwrap", *ISOLATION, "--unshare-net"]
    return ["bwrap", *ISOLATION, *_bind_read_only(RESOLVER_PATHS)]


def _system(folders: tuple[str, ...]) -> list[str]:
    """Return the arguments that mount the system and the interpreter; `/usr` has folders below it already."""
    others = [folder for folder in dict.fromkeys(folders) if not Path(folder).is_relative_to("/usr")]
    scratch = ["--size", str(SCRATCH_MB * MIB), "--tmpfs"]
    file_systems = ["--proc", "/proc", "--dev", "/dev", *scratch, "/dev/shm", *scratch, "/tmp"]
    return [*file_systems, *_bind_read_only((*SYSTEM_PATHS, *others))]


def _bind_read_only(paths: Iterable[str]) -> list[str]:
    return [part for path in paths for part in ("--ro-bind-try", path, path)]
