"""Running one script from the start of its process to its removal: the loop that the docker and local runners share."""

import asyncio
import logging
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from mlestar.runners.base import Limits
from mlestar.runners.capture import Output
from mlestar.runners.limits import End, find_exceeded_limit
from mlestar.runners.threads import call_in_thread
from mlestar.runners.work_folder import measure

_log = logging.getLogger("mlestar.runners")

FIRST_PAUSE, LAST_PAUSE = 0.02, 0.25
"""Seconds between two checks of the limits: short at first, so that a quick flood of output is noticed, then doubled
each time. Chosen by judgement; not measured."""
ABORT_GRACE_SECONDS = 2.0
"""Time that an aborted script has to write its stack. Chosen by judgement; not measured."""


class ScriptProcess(Protocol):
    """The process or the container of one script. Its methods block and are called in threads, one at a time."""

    @property
    def limits(self) -> Limits: ...

    @property
    def output(self) -> Output:
        """What the script has printed so far."""
        ...

    @property
    def measured_folder(self) -> Path:
        """The folder with everything that the script writes to disk."""
        ...

    @property
    def ended(self) -> "Future[None]":
        """Done when the script has ended and its output is read."""
        ...

    def start(self) -> None:
        """Start the process."""
        ...

    def send_script(self) -> None:
        """Make a process that waits for its script run it."""
        ...

    def check_limits(self) -> End | None:
        """Return the end of a script that exceeds a limit that only the process can check."""
        ...

    def abort(self) -> None:
        """Make the script write its stack and end."""
        ...

    def wait(self) -> End:
        """Return how the script ended; called once `ended` is done."""
        ...

    def remove(self) -> None:
        """Kill what still runs, whatever state it is in."""
        ...


async def run_script(process: ScriptProcess) -> End:
    """Start a script, watch it to its end, and remove its process; when cancelled, remove it before returning.

    Raises:
        RunnerError: the process cannot be started or is lost.
    """
    try:
        await call_in_thread(process.start)
        await call_in_thread(process.send_script)
        end = await _watch(process)
        return await call_in_thread(process.wait) if end is None else end
    finally:
        await call_in_thread(process.remove)


async def _watch(process: ScriptProcess) -> End | None:
    """Wait until a script ends by itself (None) or exceeds a limit.

    A script whose time is up is aborted and has a moment to write its stack.
    """
    started, seconds = time.monotonic(), process.limits.seconds
    ended, pause = asyncio.wrap_future(process.ended), FIRST_PAUSE
    while True:
        left = seconds - (time.monotonic() - started)
        await asyncio.wait({ended}, timeout=max(0.0, min(pause, left)))
        if ended.done():
            return None
        end = await asyncio.to_thread(_check, process, started)
        if end is not None:
            _log.info("limit exceeded after %.1f s: %s (%s)", time.monotonic() - started, end.status, end.detail)
            if end.status == "timeout":
                await call_in_thread(process.abort)
                await asyncio.wait({ended}, timeout=ABORT_GRACE_SECONDS)
            return end
        pause = min(LAST_PAUSE, pause * 2)


def _check(process: ScriptProcess, started: float) -> End | None:
    elapsed = time.monotonic() - started
    usage = measure(process.measured_folder)
    return find_exceeded_limit(process.limits, elapsed, process.output, usage) or process.check_limits()
