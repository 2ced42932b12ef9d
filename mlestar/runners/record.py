"""The supervisor's record of how a script ended, read without trusting it."""

import json
import secrets

from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.limits import MIB, End, exit_end, out_of_memory

ABORT = b"abort\n"
"""The line that has a supervisor abort its script."""


def make_mark() -> str:
    """Return what a record's line begins with, which a script cannot guess."""
    return f"mlestar-{secrets.token_hex(16)}:"


def make_order(mark: str, seconds: float) -> bytes:
    """Return the line that orders a supervisor to run its script, and to end after that many seconds."""
    return json.dumps({"mark": mark, "seconds": seconds}).encode() + b"\n"


def cut_record(output: Output, mark: str) -> bytes | None:
    """Take the record off the end of standard error; None when there is none.

    What follows its line is a process's that outlived the script by an instant, and is dropped as well.
    """
    found = output.stderr.cut(f"\n{mark}".encode())
    return None if found is None else found.partition(b"\n")[0]


def take_record(output: Output, mark: str, code: int, limits: Limits) -> End | None:
    """Return what the record says, None when there is none to be believed.

    Args:
        output: of the script, from which the record is taken.
        mark: what its line begins with.
        code: exit status of the supervisor. One that did not end by itself was stopped by the script, which may have
            written a record in its place.
        limits: of the script.
    """
    line = cut_record(output, mark)
    return read_record(line, limits) if line is not None and code == 0 else None


def read_record(line: bytes, limits: Limits) -> End | None:
    """Return what a record says, None when no supervisor can have written it.

    A script that forged one would say of itself what it could have brought about anyway: an exit status, a signal, too
    much memory. Scores come from the files it leaves.
    """
    try:
        record = json.loads(line)
        code, oom, peak = int(record["exit"]), int(record["oom"]), int(record["peak"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not -64 <= code <= 255 or oom < 0 or peak < 0:
        return None
    # A control group's own peak may exceed its limit by the pages being reclaimed.
    peak = min(peak, limits.memory_mb * MIB)
    return out_of_memory(limits, peak) if oom else exit_end(code, peak)
