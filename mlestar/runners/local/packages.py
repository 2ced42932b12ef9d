"""Adding packages to the interpreter of the local runner, with `uv`: one cached environment for each lock."""

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import RunnerError, clean_text
from mlestar.runners.limits import MIB
from mlestar.runners.supply.names import INSTALLERS
from mlestar.runners.supply.packages.explain import ADDRESS, FULL_DISK, full_disk, lost_network
from mlestar.runners.supply.packages.index import PROXY_VARIABLES, read_pip_values
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError, PackageRequest, locked
from mlestar.runners.supply.packages.sharing import check_count, exclusively, read_end, too_slow, used_bytes
from mlestar.runners.supply.packages.wheels import UNPACKED, too_large
from mlestar.runners.work_folder import delete_folder, make_folders, new_folder_path

_log = logging.getLogger("mlestar.runners")

POLL_SECONDS = 0.2
"""Time between two checks of `uv`. Chosen by judgement; not measured."""
MAX_OUTPUT = 2**22
"""Bytes of the output of `uv` that are read, from its end. Chosen by judgement; not measured."""
SHOWN_CHARACTERS = 500
"""Characters of a message of `uv` that are shown. Chosen by judgement; not measured."""
ADDED = re.compile(r"^ \+ (?P<name>[\w.-]+)==(?P<version>\S+)$", re.MULTILINE)
NOTHING_TO_ADD = "Would make no changes"
HASHED = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s\\]+)(?P<hashes>(?:\s+\\?\s*--hash=sha256:[0-9a-f]{64})+)", re.M
)
NO_NETWORK = re.compile(
    r"error sending request|dns error|Failed to fetch|[Cc]onnection|[Tt]imed? ?out|operation timed out"
)
UNKNOWN = re.compile(r"Because (\S+) was not found in the package registry")
NO_WHEEL = re.compile(r"Because (?:all versions of |only )?(\S+?)(?:[=<>]\S*)? (?:has|have) no usable wheels")
PATHS = """
import json, sysconfig
print(json.dumps([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))
"""
INSTALLED = """
import importlib.metadata, json
found = [(one.metadata["Name"], one.version) for one in importlib.metadata.distributions()]
print(json.dumps(sorted({f"{name}=={version}" for name, version in found if name and version})))
"""


@dataclass(frozen=True, kw_only=True)
class Environments:
    """Adds packages to one interpreter; its methods block."""

    python: str
    work_dir: Path | None
    cache: Path
    """Folder with the environments, which runs share."""
    report: Callable[[str], None]
    stop: threading.Event

    def resolve(self, request: PackageRequest) -> Lock:
        """Return the versions and hashes of everything that must be added.

        Raises:
            PackageError: the packages cannot be supplied.
            RunnerError: no package can be supplied now.
        """
        deadline = time.monotonic() + request.limits.seconds
        with self._folder() as folder:
            installed = [pin for pin in json.loads(self._ask_python(INSTALLED)) if _name(pin) not in INSTALLERS]
            constraints = self._write(folder, "constraints.txt", installed)
            unneeded = [f"{name} ; sys_platform == 'none'" for name in request.provided]
            overrides = ["--overrides", self._write(folder, "overrides.txt", unneeded)] if unneeded else []
            wanted = self._write(folder, "requirements.txt", request.requirements)
            settings = read_pip_values()
            chosen = ["-r", wanted, "--constraints", constraints, *overrides, *_pip_constraints(settings)]
            uv = Uv(self, folder, request.requirements, request.limits, deadline, settings)
            told = uv.run("pip", "install", "--dry-run", *chosen)
            added = ADDED.findall(told)
            if NOTHING_TO_ADD in told:
                return Lock(())
            if not added:
                msg = f"{', '.join(request.requirements)}: resolving it adds no package"
                raise PackageError(msg)
            pins = self._write(folder, "pins.txt", [f"{name}=={version}" for name, version in added])
            text = uv.run("pip", "compile", "--no-deps", "--generate-hashes", "--no-annotate", "--no-header", pins)
            rows = [(match["name"], match["version"], match["hashes"]) for match in HASHED.finditer(text)]
        found = [locked(name, version, re.findall(r"[0-9a-f]{64}", hashes)) for name, version, hashes in rows]
        lock = Lock(tuple(found))
        if len(found) != len(added):
            msg = f"{', '.join(request.requirements)}: the index has no hash for some of the packages"
            raise PackageError(msg)
        check_count(lock, request.limits)
        return lock

    def install(self, lock: Lock, limits: InstallLimits) -> str:
        """Return an interpreter with the packages of a lock, made unless the cache has it; raises like `resolve`."""
        key = lock.key(f"{self.python}\n{self._ask_python(PATHS)}")
        place = self.cache.expanduser() / "environments" / key
        with exclusively(self.cache.expanduser(), key, self.stop):
            if not (place / "complete").is_file():
                shutil.rmtree(place, ignore_errors=True)
                names = ", ".join(f"{package.name} {package.version}" for package in lock.packages)
                self.report(f"adding packages to the local interpreter (once): {names}")
                started = time.monotonic()
                try:
                    self._build(place, lock, limits)
                except BaseException:
                    shutil.rmtree(place, ignore_errors=True)
                    raise
                self.report(f"added packages to the local interpreter in {time.monotonic() - started:.1f} s")
        return str(place / "bin" / "python")

    def _build(self, place: Path, lock: Lock, limits: InstallLimits) -> None:
        """Make an environment whose own packages come after those of the interpreter, and replace none of them."""
        deadline = time.monotonic() + limits.seconds
        names = tuple(package.name for package in lock.packages)
        with self._folder() as folder:
            uv = Uv(self, folder, names, limits, deadline, read_pip_values(), watched=place)
            uv.run("venv", "--no-project", str(place))
            text = self._write(folder, "lock.txt", lock.text.splitlines())
            uv.run("pip", "install", "--no-deps", "--require-hashes", "--target", str(place / "packages"), "-r", text)
        folders = [*dict.fromkeys(json.loads(self._ask_python(PATHS))), str(place / "packages")]
        lines = "; ".join(f"site.addsitedir({folder!r})" for folder in folders)
        library = next(place.glob("lib/python*/site-packages"))
        (library / "mlestar-packages.pth").write_text(f"import site; {lines}\n", encoding="utf-8")
        (place / "complete").write_text(lock.text, encoding="utf-8")

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = new_folder_path(self.work_dir)
        make_folders(folder, "cache")
        try:
            yield folder
        finally:
            delete_folder(folder)

    def _write(self, folder: Path, name: str, lines: Iterable[str]) -> str:
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    def _ask_python(self, code: str) -> str:
        """Return what the interpreter itself prints; it has no added packages."""
        try:
            shown = subprocess.run(
                [self.python, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError) as error:
            msg = f"the interpreter {self.python} cannot describe itself: {error}"
            raise RunnerError(msg) from error
        return shown.stdout


@dataclass(frozen=True)
class Uv:
    """Runs `uv` within limits; no code of a package is executed unless source builds are allowed."""

    environments: Environments
    folder: Path
    requirements: tuple[str, ...]
    limits: InstallLimits
    deadline: float
    settings: dict[str, str] = field(repr=False)
    """Of pip; its addresses may contain passwords."""
    watched: Path | None = None
    """A folder that counts towards the size, unpacked."""

    def run(self, *arguments: str) -> str:
        """Return what it prints.

        Raises:
            PackageError: the packages cannot be supplied.
            RunnerError: no package can be supplied now.
        """
        wheels = [] if self.limits.source_builds or arguments[0] == "venv" else ["--only-binary", ":all:"]
        python = ["--python", self.environments.python, "--no-config", "--color", "never", "--no-progress"]
        output = self.folder / "output.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [find_uv(), *arguments, *wheels, *python],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=_variables(self.folder, self.settings),
                start_new_session=True,
            )
            try:
                self._wait(process)
            finally:
                _kill(process)
        text = read_end(output, MAX_OUTPUT)
        if process.returncode:
            raise explain_uv(text, self.requirements)
        return text

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until it ends; its size is also looked at afterwards, as it may end between two looks."""
        ended = False
        while not ended:
            ended = process.poll() is not None
            if self.environments.stop.is_set():
                msg = "adding packages was stopped"
                raise RunnerError(msg)
            if time.monotonic() > self.deadline:
                raise too_slow(self.requirements, self.limits)
            unpacked = used_bytes(self.folder) + (used_bytes(self.watched) if self.watched else 0)
            if unpacked > self.limits.mb * UNPACKED * MIB:
                raise too_large(self.limits)
            if not ended:
                self.environments.stop.wait(POLL_SECONDS)


def find_uv() -> str:
    """Return the path of `uv`.

    Raises:
        RunnerError: it is not installed.
    """
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    if path := shutil.which("uv"):
        return path
    msg = "the local runner adds packages with uv, which is not installed: `pip install 'mlestar[packages]'`, or "
    msg += "`--packages image`"
    raise RunnerError(msg)


def explain_uv(output: str, requirements: tuple[str, ...]) -> Exception:
    """Return the error that the output of `uv` means; addresses in it are not shown."""
    if FULL_DISK.search(output):
        return full_disk()
    flat = " ".join(output.split())
    if unknown := UNKNOWN.search(flat):
        msg = f"there is no package {unknown[1]} on the index: check the name, or use what is installed"
        return PackageError(msg)
    if source := NO_WHEEL.search(flat):
        msg = f"{source[1]} has no wheel for this Python, only source code, which is not built (`source_builds`): "
        return PackageError(msg + "use another package")
    if "No solution found" not in flat and NO_NETWORK.search(flat):
        return lost_network()
    cause = next((flat.partition(mark)[2] for mark in ("cause:", "╰─▶", "error:") if mark in flat), flat)
    reason = clean_text(ADDRESS.sub("ADDRESS", cause)).strip()
    return PackageError(f"{', '.join(requirements)} cannot be added: {reason[:SHOWN_CHARACTERS]}")


def _variables(folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of `uv`: the index settings of pip by its own names, nothing else of this process."""
    names = ("PATH", "HOME", *PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES))
    variables = {name: os.environ[name] for name in names if name in os.environ}
    variables |= {"UV_CACHE_DIR": str(folder / "cache"), "UV_LINK_MODE": "copy", "UV_NO_PYTHON_DOWNLOADS": "1"}
    own = {
        "UV_DEFAULT_INDEX": values.get("index-url", ""),
        "UV_INDEX": values.get("extra-index-url", ""),
        "UV_FIND_LINKS": ",".join(values.get("find-links", "").split()),
        "UV_INSECURE_HOST": values.get("trusted-host", ""),
        "SSL_CERT_FILE": values.get("cert", ""),
        "UV_NO_INDEX": "1" if values.get("no-index", "").lower() in ("1", "true", "yes", "on") else "",
        "HTTPS_PROXY": values.get("proxy", ""),
    }
    # pip takes the best version of all indexes.
    return {
        **variables,
        **{name: value for name, value in own.items() if value},
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def _pip_constraints(values: Mapping[str, str]) -> list[str]:
    files = [word for word in values.get("constraint", "").split() if Path(word).is_file()]
    return [part for file in files for part in ("--constraints", file)]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _name(pin: str) -> str:
    return pin.partition("==")[0].lower()
