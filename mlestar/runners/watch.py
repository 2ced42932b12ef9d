"""Watching a script that runs: limits that the system does not hold for us, and what its end means."""

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from mlestar.runners.base import Execution, ExecutionStatus, Job, Limits
from mlestar.runners.capture import Output, decode
from mlestar.runners.collect import collect
from mlestar.runners.dump import cut_dump, describe_stand
from mlestar.runners.workplace import MAX_FILES, Usage, is_scarce, measure, taken

FIRST_TICK, LAST_TICK = 0.02, 0.25
"""Seconds between two looks at a script; short at first, so that a quick flood is noticed."""
LAST_WORDS = 2.0
"""Seconds that a script whose time is up has to write where it stands."""
MIB = 2**20
CORE = 1
"""Bytes of a core dump. At 0 the kernel still starts a host's own program for dumps, as root, with the script's memory;
at 1 it does not, and writes no file either."""
HOST_SHARE = 0.9
"""Part of a machine's memory that scripts may have together."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class End:
    """How a script ended."""

    status: ExecutionStatus
    exit_code: int | None = None
    detail: str = ""
    peak_memory: int | None = None
    """Bytes."""


def exit_end(code: int, peak: int | None = None) -> End:
    """Return what an exit status means; a negative one is a signal's number, reported as 128 plus the signal."""
    if code >= 0:
        return End("error" if code else "ok", code, peak_memory=peak)
    if code == -signal.SIGXFSZ:
        return End("disk_full", 128 - code, "the script wrote a larger file than it may", peak)
    return End("killed", 128 - code, f"the script was ended by {signal_name(-code)}", peak)


def out_of_memory(limits: Limits, peak: int | None) -> End:
    return End("oom", None, f"the script needed more than its {limits.memory_mb} MiB of memory", peak)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def over_limit(limits: Limits, elapsed: float, output: Output, usage: Usage) -> End | None:
    """Return the end that a script has come to by itself or by us, None while it keeps to its limits."""
    if output.overflowed:
        return End("output_limit", detail=f"the script printed more than {limits.output_mb} MiB")
    if usage.endless:
        return End("disk_full", detail=f"the script made more than {MAX_FILES} files or too deep folders")
    if usage.size > limits.disk_mb * MIB:
        return End("disk_full", detail=f"the script wrote more than {limits.disk_mb} MiB")
    if elapsed >= limits.seconds:
        said = "" if output.silent is None else f" for the last {output.silent:.1f} s"
        limit = f"the script was stopped at its time limit of {limits.seconds:g} s"
        return End("timeout", detail=f"{limit}, having printed nothing{said}")
    return None


def full_disk(folder: Path, own_mb: int | None = None) -> End | None:
    """Return the end of a script that has brought the disk of its folder near its end.

    Args:
        folder: the work folder.
        own_mb: what the script may write, where that disk is its own.
    """
    if own_mb is not None:
        detail = f"the script wrote more than {own_mb} MiB, some of it to files that it deleted while open"
        return End("disk_full", detail=detail) if taken(folder) > own_mb * MIB else None
    if not is_scarce(folder):
        return None
    return End("disk_full", detail="the disk is nearly full, maybe of files that the script deleted while open")


async def watch(
    ended: "Future[None]", seconds: float, look: Callable[[], End | None], abort: Callable[[], None]
) -> End | None:
    """Wait until `ended` is done (None), or until `look`, called in a thread, finds a limit exceeded.

    A script whose time is up is aborted and has a moment to write where it stands.
    """
    waiting, tick = asyncio.wrap_future(ended), FIRST_TICK
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        left = deadline - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({waiting}, timeout=max(0.0, min(tick, left)))
        if done:
            return None
        if (found := await asyncio.to_thread(look)) is not None:
            if found.status == "timeout":
                await finish(abort)
                await asyncio.wait({waiting}, timeout=LAST_WORDS)
            return found
        tick = min(LAST_TICK, tick * 2)


async def finish(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread and wait for its end even when cancelled meanwhile; the cancellation goes on afterwards."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def conclude(job: Job, work: Path, end: End, output: Output, seconds: float) -> Execution:
    """Copy the outputs of a script that has ended and return the execution."""
    limit = job.limits.disk_mb * MIB
    if end.status in ("ok", "error"):
        end = _after_the_end(job.limits, end, output, measure(work))
    files, refused = collect(work, job.outputs, job.collect, limit)
    stderr, dump = cut_dump(decode(output.stderr.content()))
    if end.status == "timeout":
        stood = describe_stand(dump, job.script)
        end = replace(end, detail=f"{end.detail}; {stood}" if stood else end.detail)
    else:
        stderr += dump
    return Execution(
        status=end.status,
        exit_code=end.exit_code,
        stdout=decode(output.stdout.content()),
        stderr=stderr,
        seconds=seconds,
        peak_memory_mb=None if end.peak_memory is None else round(end.peak_memory / MIB, 1),
        files=files,
        detail="; ".join(filter(None, (end.detail, *refused[:5]))),
    )


def _after_the_end(limits: Limits, end: End, output: Output, usage: Usage) -> End:
    """Return the limit that a script hit between our last look and its end, or on which it failed by itself."""
    found = over_limit(limits, 0.0, output, usage)
    if end.status == "error" and usage.size >= limits.disk_mb * MIB:
        found = End("disk_full", detail=f"the script filled its {limits.disk_mb} MiB")
    return replace(found, exit_code=end.exit_code, peak_memory=end.peak_memory) if found else end


def unwritable(error: UnicodeEncodeError) -> Execution:
    """Return the execution of a script that cannot be stored as a file."""
    where = f"character {error.object[error.start]!r} at position {error.start}"
    return Execution(
        status="error",
        exit_code=None,
        stdout="",
        stderr=f"UnicodeEncodeError: the script holds {where}, which UTF-8 cannot encode\n",
        seconds=0.0,
        peak_memory_mb=None,
        files=(),
    )


def thread_variables(cpus: float) -> dict[str, str]:
    """Return what keeps numeric libraries from starting a thread per core of the host.

    They see all cores whatever the quota, and their threads then spin while a partner is descheduled.
    """
    count = str(max(1, int(cpus)))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    return dict.fromkeys((*names, "POLARS_MAX_THREADS"), count) | {"OMP_WAIT_POLICY": "PASSIVE"}


def common_variables(seed: int, cpus: float, home: str) -> dict[str, str]:
    """Return the environment that every runner gives a script."""
    return {
        **thread_variables(cpus),
        "HOME": home,
        "TMPDIR": home,
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": str(seed % 2**32),
        # A script that crashes, or is aborted at its time limit, writes where it stood.
        "PYTHONFAULTHANDLER": "1",
    }
