"""How a script ended, and the limits that are checked from outside while it runs."""

import signal
from dataclasses import dataclass
from pathlib import Path

from mlestar.runners.base import ExecutionStatus, Limits
from mlestar.runners.capture import Output
from mlestar.runners.work_folder import MAX_FILES, FolderUsage, is_disk_nearly_full, used_bytes

MIB = 2**20
CORE_BYTES = 1
"""Limit on a core dump. At 0 the kernel still starts the host's own program for dumps, as root, with the script's
memory; at 1 it does not, and writes no file either."""
OPEN_FILES = 4096
"""Limit on open files. Chosen by judgement; not measured."""
SCRATCH_MB = 512
"""Limit of a sandbox's /tmp and of its /dev/shm. In a container both count as memory, so each gets at most a quarter of
the memory limit. Chosen by judgement; not measured."""
OOM_SCORE = 500
"""Of at most 1000: the kernel kills scripts before the host's own processes, which have 0, when memory runs out."""
HOST_SHARE = 0.9
"""Part of a machine's memory that scripts may use together. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class End:
    """How a script ended."""

    status: ExecutionStatus
    exit_code: int | None = None
    detail: str = ""
    peak_memory: int | None = None
    """Bytes."""
    peak_gpu_mb: int | None = None
    """Largest memory in use on one of its GPUs."""


def exit_end(code: int, peak: int | None = None) -> End:
    """Return what an exit status means; a negative one is a signal's number, reported as 128 plus the signal."""
    if code >= 0:
        return End("error" if code else "ok", code, peak_memory=peak)
    if code == -signal.SIGXFSZ:
        return End("disk_full", 128 - code, "the script wrote a larger file than it may", peak)
    return End("killed", 128 - code, f"the script was ended by {_signal_name(-code)}", peak)


def out_of_memory(limits: Limits, peak: int | None) -> End:
    return End("oom", None, f"the script needed more than its {limits.memory_mb} MiB of memory", peak)


def find_exceeded_limit(limits: Limits, elapsed: float, output: Output, usage: FolderUsage) -> End | None:
    """Return the end of a script that exceeds its limit on output, disk or time, else None."""
    if output.overflowed:
        return End("output_limit", detail=f"the script printed more than {limits.output_mb} MiB")
    if usage.incomplete:
        return End("disk_full", detail=f"the script made more than {MAX_FILES} files or too deep folders")
    if usage.size > limits.disk_mb * MIB:
        return End("disk_full", detail=f"the script wrote more than {limits.disk_mb} MiB")
    if elapsed >= limits.seconds:
        silence = "" if output.silent is None else f" for the last {output.silent:.1f} s"
        limit = f"the script was stopped at its time limit of {limits.seconds:g} s"
        return End("timeout", detail=f"{limit}, having printed nothing{silence}")
    return None


def check_disk(folder: Path, own_mb: int | None = None) -> End | None:
    """Return the end of a script that has nearly filled the disk of its folder, else None.

    Args:
        folder: the work folder.
        own_mb: what the script may write, where that disk is used by it alone.
    """
    if own_mb is not None:
        detail = f"the script wrote more than {own_mb} MiB, some of it to files that it deleted while open"
        return End("disk_full", detail=detail) if used_bytes(folder) > own_mb * MIB else None
    if not is_disk_nearly_full(folder):
        return None
    return End("disk_full", detail="the disk is nearly full, perhaps with files that the script deleted while open")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
