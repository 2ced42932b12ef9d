"""The Runner protocol: where scripts execute, and the values that its methods take and return."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageRequest

ExecutionStatus = Literal[
    "ok", "error", "timeout", "oom", "gpu_oom", "killed", "disk_full", "output_limit", "unavailable"
]
"""`ok` is exit status 0. `error` is any other exit status of the script. `killed` is a signal that the runner did not
send, or too many processes. `gpu_oom`: the memory of its GPU was not enough. `unavailable`: packages or weights that
the script declares cannot be supplied, and it did not start. The others name the limit that was exceeded."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one execution may use."""

    seconds: float = 600.0
    """Wall-clock time."""
    memory_mb: int = 4096
    """Resident memory of all processes together, without swap."""
    cpus: float = 2.0
    """CPU share; the thread counts of numeric libraries are set to it."""
    pids: int = 256
    """Processes and threads together."""
    disk_mb: int = 2048
    """Everything written to the work folder."""
    output_mb: int = 64
    """Standard output and error together; beyond it the script is stopped."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """An NVIDIA GPU."""

    index: int
    """Its number on the machine."""
    uuid: str
    """Its name for the engine and for CUDA, the same after a restart."""
    name: str
    memory_mb: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One script to execute.

    The script runs as `main.py` in an empty work folder with `input` mounted read-only at `./input`.
    """

    script: str
    """Python source."""
    input: Path
    """Host folder that becomes `./input`."""
    collect: Path
    """Existing empty host folder that receives the output files."""
    limits: Limits = field(default_factory=Limits)
    outputs: tuple[str, ...] = ("submission.csv",)
    """Glob patterns relative to the work folder of the files to copy out, e.g. `variants/*.csv`; no `**`."""
    seed: int = 0
    """Exported as `PYTHONHASHSEED`."""
    base: str = ""
    """Image, or interpreter of a local runner, that has the packages which the script declares; empty: the runner's."""
    weights: Path | None = None
    """Host folder of the weights that the script declares, which it reads; None: it declares none."""
    gpus: tuple[Gpu, ...] = ()
    """Devices of `Environment.gpus` that the script may use; it must not reach any other."""
    weight_folders: tuple[Path, ...] = ()
    """Host folders with the user's own weights, which every script may read."""
    name: str = ""
    """A label for containers and logs: letters, digits, `-`."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """The result of a job. A script that fails is a value; a broken runner raises `RunnerError`."""

    status: ExecutionStatus
    exit_code: int | None
    stdout: str
    """Head and tail when long, invalid bytes replaced."""
    stderr: str
    seconds: float
    peak_memory_mb: float | None
    files: tuple[str, ...]
    """Paths below `Job.collect` of the outputs that were copied out (regular files within the size caps)."""
    peak_gpu_memory_mb: float | None = None
    """Largest memory in use on one of its GPUs, sampled; None without one, or where it is not known."""
    detail: str = ""
    """One line for an agent about a limit that was exceeded or an output that was refused."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What scripts can use. Prompts describe it to agents."""

    runner: str
    """The runner's name; results state it."""
    image: str
    """Image digest, or the interpreter's path for a local runner; part of an execution's key."""
    python: str
    packages: dict[str, str]
    """Installed libraries for data, as far as prompts list them with versions: distribution name in lower case, and
    version."""
    distributions: dict[str, str] = field(default_factory=dict)
    """Everything that is installed, by the same names, those for data first; empty when the runner does not know."""
    modules: dict[str, str] = field(default_factory=dict)
    """Distributions by the top-level modules that they install; empty when the runner does not know."""
    broken: dict[str, str] = field(default_factory=dict)
    """Libraries that are installed and cannot be imported, with the reason; in none of the fields above."""
    cpus: float
    memory_mb: int
    gpu: str = ""
    """What agents are told of the GPU of a script: name and memory; empty when there is none."""
    gpus: tuple[Gpu, ...] = ()
    """Devices that a job may get; empty when none is asked for, or when the runner does not know them."""
    network: bool
    """Whether scripts reach the network. Prompts, report and execution keys take it from here alone."""


@runtime_checkable
class Runner(Protocol):
    """Executes scripts: `DockerRunner`, `LocalRunner`, `ScriptedRunner` for tests, or one from outside the package.

    `--runner package.module:Name` takes a class or function that returns a runner for `RunnerOptions`.
    """

    @property
    def name(self) -> str:
        """The name that results state; `docker` and `local` are reserved for the built-in runners."""
        ...

    async def environment(self) -> Environment:
        """Describe where scripts execute, and prepare it when needed (build the image on first use)."""
        ...

    async def run(self, job: Job) -> Execution:
        """Execute a job; when cancelled, kill the script and everything it started before returning."""
        ...

    async def aclose(self) -> None:
        """Release all resources."""
        ...


@runtime_checkable
class Installer(Protocol):
    """The further methods of a runner that can add packages; with other runners scripts have only what is installed."""

    async def resolve(self, request: PackageRequest) -> Lock:
        """Return the versions and hashes of everything that must be added, if anything; execute no code of a package.

        Raises:
            PackageError: the packages cannot be supplied; the message tells an agent why.
            RunnerError: no package can be supplied now.
        """
        ...

    async def install(self, lock: Lock, limits: InstallLimits) -> str:
        """Return a `Job.base` that has the packages of a lock, made once; raises like `resolve`."""
        ...
