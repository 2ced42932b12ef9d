"""One container: its arguments, its output stream, its end."""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.client import DockerClient
from docker.types import LogConfig, Mount, Ulimit
from docker.utils.socket import STDERR, frames_iter

from mlestar.errors import RunnerError
from mlestar.runners.base import Job
from mlestar.runners.capture import Output
from mlestar.runners.engine import DEADLINE, LOST, OWNER, PLACE, PROCESS, engine_errors, own_process, remove
from mlestar.runners.watch import MIB, End, common_variables, exit_end

SANDBOX_UID = 10001
SUPERVISOR = "/opt/mlestar/supervisor.py"
GRACE = 60
"""Seconds after the time limit until anyone may remove a container; it ends itself after half of them."""
SCRATCH_MB = 512
"""Most that /tmp and /dev/shm may hold; both count as memory, so each gets at most a quarter of it."""
KILLED = 128 + 9


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where and for whom a container runs."""

    image: str
    owner: str
    place: Path
    """Host folder with `work/` and `supervisor.py`."""
    cpus: float
    runtime: str | None = None


def sandbox_user() -> tuple[int, int]:
    """Return the ids that scripts run under: the caller's own, who could not delete another's files, but never root."""
    return (os.getuid(), os.getgid()) if os.getuid() else (SANDBOX_UID, SANDBOX_UID)


def arguments(box: Box, job: Job, mark: str) -> dict[str, Any]:
    """Return the arguments of `containers.create`."""
    limits, memory = job.limits, job.limits.memory_mb * MIB
    uid, gid = sandbox_user()
    scratch = min(SCRATCH_MB * MIB, memory // 4)
    return {
        "image": box.image,
        "entrypoint": ["python"],
        "command": ["-I", "-S", SUPERVISOR, mark, str(limits.seconds + GRACE / 2)],
        "network_mode": "none",
        "use_config_proxy": False,
        "user": f"{uid}:{gid}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "privileged": False,
        "ipc_mode": "private",
        "runtime": box.runtime,
        "read_only": True,
        "working_dir": "/sandbox",
        "mounts": [
            Mount("/sandbox", str(box.place / "work"), type="bind"),
            Mount("/sandbox/input", str(job.input.resolve()), type="bind", read_only=True),
            Mount(SUPERVISOR, str(box.place / "supervisor.py"), type="bind", read_only=True),
        ],
        # Docker's default is noexec, which compilers of kernels at run time cannot use.
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={scratch},mode=1777"},
        "shm_size": scratch,
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": int(box.cpus * 1e9),
        "pids_limit": limits.pids,
        "oom_score_adj": 500,
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="nofile", soft=4096, hard=4096),
            Ulimit(name="fsize", soft=limits.disk_mb * MIB, hard=limits.disk_mb * MIB),
        ],
        "log_config": LogConfig(type="none"),
        "init": True,
        "stdin_open": False,
        "tty": False,
        "environment": common_variables(job, box.cpus, "/tmp"),
        "labels": {
            OWNER: box.owner,
            DEADLINE: str(int(time.time() + limits.seconds + GRACE)),
            PROCESS: own_process(),
            PLACE: str(box.place),
        },
    }


@dataclass
class Container:
    """A container that lives for one script. Its methods block; `ended` is done when its output has ended."""

    client: DockerClient
    box: Box
    job: Job
    output: Output
    ended: "Future[None]" = field(default_factory=Future)
    mark: str = field(default_factory=lambda: f"mlestar-{secrets.token_hex(16)}:")
    _name: str = ""
    _stream: Any = None
    _reader: threading.Thread | None = None

    def start(self) -> None:
        """Create the container, attach to its output, start it.

        Raises:
            RunnerError: the engine refuses or is lost.
        """
        label = "".join(letter for letter in self.job.name if letter.isascii() and letter.isalnum())[:30]
        self._name = f"mlestar-{label or 'script'}-{secrets.token_hex(6)}"
        with engine_errors():
            self.client.containers.create(name=self._name, **arguments(self.box, self.job, self.mark))
            self._stream = self.client.api.attach_socket(self._name, {"stdout": 1, "stderr": 1, "stream": 1})
            self._reader = threading.Thread(target=self._drain, name=self._name, daemon=True)
            self._reader.start()
            self.client.api.start(self._name)

    def wait(self) -> End:
        """Return how a script ended whose output has ended."""
        with engine_errors():
            code = int(self.client.api.wait(self._name, timeout=30)["StatusCode"])
            record = self._take_record()
            if record is not None:
                return record
            oom = code == KILLED or self.client.api.inspect_container(self._name)["State"].get("OOMKilled")
        if oom:
            return self._out_of_memory(None)
        return End("killed", code, f"the script's supervisor ended with exit status {code} before the script did")

    def dispose(self) -> None:
        """Kill and remove the container, whatever state it is in."""
        if not self._name:
            return
        try:
            with engine_errors():
                remove(self.client, self._name)
        finally:
            self._hang_up()
            self._cut_record()

    def _hang_up(self) -> None:
        if self._stream is None:
            return
        # The client wraps a socket, whose own `close` must be called too.
        raw = getattr(self._stream, "_sock", self._stream)
        with contextlib.suppress(OSError):  # the other end was first
            raw.shutdown(socket.SHUT_RDWR)
        if self._reader is not None:
            self._reader.join(10)
        self._stream.close()
        raw.close()

    def _drain(self) -> None:
        """Read until the end: while a client does not read, the engine can neither kill nor remove."""
        try:
            for stream, data in frames_iter(self._stream, tty=False):  # type: ignore[no-untyped-call]  # stubs lack it
                (self.output.stderr if stream == STDERR else self.output.stdout).feed(data)
        except (*LOST, ValueError):  # closed under us
            pass
        finally:
            self.ended.set_result(None)

    def _cut_record(self) -> bytes | None:
        return self.output.stderr.cut(f"\n{self.mark}".encode())

    def _take_record(self) -> End | None:
        """Return what the supervisor's record says, None when there is none."""
        line = self._cut_record()
        if line is None:
            return None
        try:
            record = json.loads(line)
            code, oom, peak = int(record["exit"]), int(record["oom"]), int(record["peak"])
        except (ValueError, KeyError, TypeError, RecursionError):  # forged
            return None
        return self._out_of_memory(peak) if oom else exit_end(code, peak)

    def _out_of_memory(self, peak: int | None) -> End:
        detail = f"the script needed more than its {self.job.limits.memory_mb} MiB of memory"
        return End("oom", None, detail, peak)


def check_readable(folder: Path, avoid: Path) -> None:
    """Refuse an input that the sandbox's user cannot read, which a script would report as an error of its own.

    Args:
        folder: the input, of which the first files of each folder are looked at.
        avoid: a folder of ours; the part of the input that holds it is left out.

    Raises:
        RunnerError: says which file and what to do.
    """
    if os.getuid() != 0:
        return
    for place, folders, files in os.walk(folder.resolve()):
        closed = [path for path in map(Path(place).joinpath, files[:200]) if not path.lstat().st_mode & 0o004]
        closed += [Path(place)] if Path(place).stat().st_mode & 0o005 != 0o005 else []
        if closed:
            msg = f"the sandbox's user cannot read {closed[0]}: run `chmod -R a+rX {folder}`"
            raise RunnerError(msg)
        folders[:] = [name for name in folders[:50] if not avoid.is_relative_to(Path(place, name))]
