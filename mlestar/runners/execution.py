"""Making the execution of a script that has ended."""

from dataclasses import replace
from pathlib import Path

from mlestar.runners.base import Execution, Job, Limits
from mlestar.runners.capture import Output, decode
from mlestar.runners.collect import collect
from mlestar.runners.dump import cut_dump, describe_position
from mlestar.runners.gpu_memory import recognize_gpu_oom
from mlestar.runners.limits import MIB, End, find_exceeded_limit
from mlestar.runners.work_folder import FolderUsage, measure


def make_execution(job: Job, work: Path, end: End, output: Output, seconds: float) -> Execution:
    """Copy the outputs of a script that has ended and return its execution."""
    limit = job.limits.disk_mb * MIB
    if end.status in ("ok", "error"):
        end = _check_afterwards(job.limits, end, output, measure(work))
    files, refused = collect(work, job.outputs, job.collect, limit)
    stderr = decode(output.stderr.content())
    end = recognize_gpu_oom(end, stderr, job.gpus)
    stderr, dump = cut_dump(stderr)
    if end.status == "timeout":
        position = describe_position(dump, job.script)
        end = replace(end, detail=f"{end.detail}; {position}" if position else end.detail)
    else:
        stderr += dump
    return Execution(
        status=end.status,
        exit_code=end.exit_code,
        stdout=decode(output.stdout.content()),
        stderr=stderr,
        seconds=seconds,
        peak_memory_mb=None if end.peak_memory is None else round(end.peak_memory / MIB, 1),
        peak_gpu_memory_mb=end.peak_gpu_mb,
        files=files,
        detail="; ".join(filter(None, (end.detail, *refused[:5]))),
    )


def unencodable(error: UnicodeEncodeError) -> Execution:
    """Return the execution of a script that cannot be stored as a file."""
    where = f"character {error.object[error.start]!r} at position {error.start}"
    return Execution(
        status="error",
        exit_code=None,
        stdout="",
        stderr=f"UnicodeEncodeError: the script contains {where}, which UTF-8 cannot encode\n",
        seconds=0.0,
        peak_memory_mb=None,
        files=(),
    )


def _check_afterwards(limits: Limits, end: End, output: Output, usage: FolderUsage) -> End:
    """Return the limit that a script hit between the last check and its end, or on which it failed by itself."""
    exceeded = find_exceeded_limit(limits, 0.0, output, usage)
    if end.status == "error" and usage.size >= limits.disk_mb * MIB:
        exceeded = End("disk_full", detail=f"the script filled its {limits.disk_mb} MiB")
    if exceeded is None:
        return end
    return replace(exceeded, exit_code=end.exit_code, peak_memory=end.peak_memory, peak_gpu_mb=end.peak_gpu_mb)
