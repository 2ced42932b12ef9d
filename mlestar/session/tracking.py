"""Processes that send a session to trackers. A tracker that is away, slow or broken cannot hold up the run."""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mlestar.events import Event
from mlestar.runtime.context import RunContext

logger = logging.getLogger("mlestar.session")

_START = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from mlestar.cli import main; main()"
"""The process imports from where this one does, never from the current folder alone."""
_STAGE = "tracker"
_MAX_LINE = 1000
"""Characters of a line that a tracker prints."""


@asynccontextmanager
async def tracked(ctx: RunContext) -> AsyncIterator[None]:
    """Send a session to the trackers of its settings; without any, nothing is started.

    The session ends first: its last event is written before the trackers are told to send the rest.
    """
    processes = [process for name in ctx.settings.trackers.names if (process := await _start(ctx, name))]
    try:
        yield
    finally:
        try:
            if processes:
                await asyncio.to_thread(ctx.events.flush)
        finally:
            await asyncio.gather(*(process.end(ctx.settings.trackers.wait_seconds) for process in processes))


class _TrackerProcess:
    """A process that follows the run folder until its standard input is closed."""

    def __init__(self, name: str, process: Process, ctx: RunContext) -> None:
        self._name = name
        self._process = process
        self._ctx = ctx
        self._notes = asyncio.create_task(self._pass_notes())

    async def end(self, seconds: float) -> None:
        """Let the process send the rest, for so long at most."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            await self._stop()
        if self._process.returncode:
            self._emit(f"not all was sent to {self._name}: `mlestar track {self._ctx.folder.arguments}` sends the rest")

    async def _stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._notes

    async def _pass_notes(self) -> None:
        """Turn the lines that the process prints into events."""
        if self._process.stdout is None:
            return
        with contextlib.suppress(ValueError):  # a line that is too long: the process tells nothing more
            async for line in self._process.stdout:
                self._emit(line.decode(errors="replace").strip()[:_MAX_LINE])

    def _emit(self, line: str) -> None:
        try:
            self._ctx.events(Event(stage=_STAGE, message=line))
        except Exception:  # whoever receives events may raise anything: no reason to stop the run
            logger.warning("run %s: a line of a tracker was not received", self._ctx.folder.run_id, exc_info=True)


async def _start(ctx: RunContext, name: str) -> _TrackerProcess | None:
    """Start the process of a tracker; without it the run goes on."""
    trackers, folder = ctx.settings.trackers, ctx.folder
    options = ["--mlflow", trackers.mlflow or ""] if name == "mlflow" else ["--otel"]
    options += ["--runs-dir", str(folder.path.parent), "--experiment", trackers.experiment]
    options += ["--follow", repr(time.time())]
    command = [sys.executable, "-I", "-c", _START, json.dumps(sys.path), "track", *options, "--", folder.run_id]
    try:
        # A session of its own: Ctrl-C is for the run, which then tells its trackers that it has ended.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True, env=dict(os.environ)
        )
    except OSError as error:
        logger.warning("run %s: the tracker %s did not start: %s", folder.run_id, name, error)
        ctx.events(Event(stage=_STAGE, message=f"the tracker {name} did not start: {error.strerror}"))
        return None
    return _TrackerProcess(name, process, ctx)
