"""Bubblewrap: a sandbox for processes where there is no engine. Linux only, found out by running it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.docker.spec import HOME, SANDBOX_UID, SCRATCH_MB
from mlestar.runners.limits import MIB

SYSTEM = (
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
"""What scripts see of this machine besides the interpreter."""
RESOLVER = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki")
"""What scripts need besides to reach the network by names."""
WALLS = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"),
    *("--disable-userns", "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"),
    *("--uid", str(SANDBOX_UID), "--gid", str(SANDBOX_UID), "--hostname", "sandbox"),
)
PREFIXES = "import json, sys; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix]))"


@dataclass(frozen=True)
class Bubblewrap:
    """A way to run an interpreter that sees only its libraries, its work folder and its input."""

    python: str
    folders: tuple[str, ...]
    """Folders that hold the interpreter and its libraries."""
    network: bool = False
    """Whether scripts reach the network."""

    def wrap(self, place: Path, source: Path, environment: dict[str, str]) -> list[str]:
        """Return the command that runs the supervisor of a script.

        Args:
            place: host folder with `work/` and `home/`.
            source: host folder that becomes `./input`.
            environment: all that the script finds in its environment.
        """
        variables = [part for name, value in environment.items() for part in ("--setenv", name, value)]
        shown = [("--bind", place / "work", "/sandbox"), ("--ro-bind", source, "/sandbox/input")]
        binds = [str(part) for each in (*shown, ("--ro-bind", place / "home", HOME)) for part in each]
        program = [self.python, "-I", "-S", f"{HOME}/supervisor.py", "60"]
        # The root and /dev are file systems in memory that nothing bounds, so they are closed.
        closed = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/sandbox"]
        return [*_walls(self.network), *variables, *_system(self.folders), *binds, *closed, *program]


def find_bubblewrap(python: str, *, network: bool = False) -> Bubblewrap:
    """Return a working bubblewrap for an interpreter.

    Args:
        python: the interpreter.
        network: whether scripts reach the network.

    Raises:
        RunnerError: it does not work here; the message says why.
    """
    if sys.platform != "linux" or os.getuid() == 0:
        # A script of root's stays root to the files of /proc, whatever its user namespace says: it could write there to
        # the kernel's settings. Nor does any limit on processes hold for root.
        msg = "bubblewrap needs Linux and a user who is not root"
        raise RunnerError(msg)
    try:
        answer = subprocess.run([python, "-I", "-c", PREFIXES], capture_output=True, text=True, check=True, timeout=60)
        executable, *folders = json.loads(answer.stdout)
        tried = [*_walls(network), *_system(tuple(folders)), executable, "-I", "-c", "pass"]
        evaluation = subprocess.run(tried, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        msg = f"bubblewrap does not work here: {error}"
        raise RunnerError(msg) from error
    if evaluation.returncode != 0:
        msg = f"bubblewrap does not work here: {' '.join(evaluation.stderr.split())[-300:]}"
        raise RunnerError(msg)
    return Bubblewrap(executable, tuple(folders), network)


def _walls(network: bool) -> list[str]:
    """Return the command and the arguments that take everything from a script."""
    opened = [part for path in RESOLVER for part in ("--ro-bind-try", path, path)]
    return ["bwrap", *WALLS, *(opened if network else ["--unshare-net"])]


def _system(folders: tuple[str, ...]) -> list[str]:
    """Return the arguments that show the system and the interpreter; what an earlier folder holds is not repeated."""
    shown = [*SYSTEM, *(folder for folder in dict.fromkeys(folders) if not Path(folder).is_relative_to("/usr"))]
    scratch = ["--size", str(SCRATCH_MB * MIB), "--tmpfs"]
    places = ["--proc", "/proc", "--dev", "/dev", *scratch, "/dev/shm", *scratch, "/tmp"]
    return [*places, *(part for folder in shown for part in ("--ro-bind-try", folder, folder))]
