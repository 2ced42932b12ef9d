"""The supervisor's record of how a script ended, read without trusting it."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace

from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.limits import MIB, End, exit_end, out_of_memory

ABORT = b"abort\n"
"""The line that makes a supervisor abort its script."""
MAX_GPU_MB = 10**7
"""More memory than a device has. Chosen by judgement; not measured."""


def make_mark() -> str:
    """Return the beginning of a record's line, which a script cannot guess."""
    return f"mlestar-{secrets.token_hex(16)}:"


def make_command(mark: str, seconds: float, gpus: Sequence[str] = ()) -> bytes:
    """Return the line that makes a supervisor run its script, and end after that many seconds.

    Args:
        mark: what the line of the record begins with.
        seconds: after which the supervisor ends.
        gpus: UUIDs of the devices whose memory it measures.
    """
    return json.dumps({"mark": mark, "seconds": seconds, "gpus": [*gpus]}).encode() + b"\n"


def cut_record(output: Output, mark: str) -> bytes | None:
    """Remove the record from the end of standard error and return it; None when there is none.

    What follows its line was printed by a process that ran on for an instant after the script, and is removed as well.
    """
    rest = output.stderr.cut(f"\n{mark}".encode())
    return None if rest is None else rest.partition(b"\n")[0]


def take_record(output: Output, mark: str, code: int, limits: Limits) -> End | None:
    """Return the end that the record describes, None when there is no credible record.

    Args:
        output: of the script; the record is removed from it.
        mark: what its line begins with.
        code: exit status of the supervisor. When it is not 0, the script has killed the supervisor and may have written
            the record itself.
        limits: of the script.
    """
    line = cut_record(output, mark)
    return read_record(line, limits) if line is not None and code == 0 else None


def read_record(line: bytes, limits: Limits) -> End | None:
    """Return the end that a record describes, None when no supervisor can have written it.

    A script gains nothing by forging one: exit status, signal and too much memory are what it can cause anyway, and
    scores come from the files that it writes.
    """
    try:
        record = json.loads(line)
        code, oom, peak = int(record["exit"]), int(record["oom"]), int(record["peak"])
        gpu = int(record.get("gpu", 0))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if not -64 <= code <= 255 or oom < 0 or peak < 0 or not 0 <= gpu <= MAX_GPU_MB:  # there are 64 signals
        return None
    # The peak of a control group may exceed its limit by the pages that are being reclaimed.
    peak = min(peak, limits.memory_mb * MIB)
    end = out_of_memory(limits, peak) if oom else exit_end(code, peak)
    return replace(end, peak_gpu_mb=gpu or None)
