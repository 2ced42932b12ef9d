"""`mlestar mcp`: runs as tools of the Model Context Protocol, for any client that speaks it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from mlestar import __version__
from mlestar.api import asolve
from mlestar.data.task import Task
from mlestar.errors import MlestarError, UserError
from mlestar.events import Event
from mlestar.report import Result
from mlestar.settings import Settings
from mlestar.state import RunSummary
from mlestar.store import RunFolder, claim_run_id

LAST_LINES = 5
INSTRUCTIONS = (
    "Solve machine-learning tasks. `run` starts one from a folder and returns at once; ask `status` until it is no "
    "longer running, then `result`. Scores are graded on rows that no generated script saw."
)


class Status(BaseModel):
    """How far a run is."""

    run_id: str
    status: Literal["running", "solved", "no_solution", "stopped", "paused", "failed"]
    best: str = ""
    """The best solution so far has this score."""
    last: list[str] = []
    """Its last lines of progress."""
    problem: str = ""


class Runs:
    """The runs that this server has started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tasks: dict[str, asyncio.Task[Result]] = {}
        self._events: dict[str, list[Event]] = {}

    async def start(self, folder: str, given: dict[str, Any]) -> str:
        """Start a run and return its id.

        Raises:
            UserError: the folder or a setting cannot be used.
        """
        fixed = {"runs_dir": self.settings.runs_dir}
        settings = Settings.resolve({**self.settings.model_dump(exclude_unset=True), **given, **fixed})
        task = await asyncio.to_thread(_load, folder, settings)
        run_id = await asyncio.to_thread(claim_run_id, settings.runs_dir, task.folder.name)
        events = self._events[run_id] = []
        self._tasks[run_id] = asyncio.create_task(
            asolve(task, settings=settings, run_id=run_id, on_event=events.append)
        )
        return run_id

    async def status(self, run_id: str) -> Status:
        """Return how far a run is, whoever started it."""
        task, events = self._tasks.get(run_id), self._events.get(run_id, [])
        last = [f"{event.stage}: {event.message}" for event in events if not event.role][-LAST_LINES:]
        if task is not None and not task.done():
            scored = [event for event in events if event.score is not None]
            best = f"{scored[-1].solution} {scored[-1].score:.5g}" if scored else ""
            return Status(run_id=run_id, status="running", best=best, last=last)
        problem = ""
        if task is not None:
            stopped = task.cancelled()
            problem = "" if stopped else str(task.exception() or "")
            if not await asyncio.to_thread(self._folder(run_id).result.is_file):
                return Status(run_id=run_id, status="stopped" if stopped else "failed", last=last, problem=problem)
        result = await asyncio.to_thread(self._read, run_id)
        return Status(run_id=run_id, status=result.status, last=last, problem=problem or result.message)

    async def result(self, run_id: str) -> RunSummary:
        """Return what a run submitted.

        Raises:
            UserError: there is no such run, or it has not ended.
        """
        task = self._tasks.get(run_id)
        if task is not None and not task.done():
            msg = f"run {run_id} is still running; ask `status`"
            raise UserError(msg)
        return (await asyncio.to_thread(self._read, run_id)).summary

    async def cancel(self, run_id: str) -> Status:
        """Stop a run; its state is saved, and its containers are gone when this returns."""
        task = self._tasks.get(run_id)
        if task is None:
            msg = f"this server has not started a run {run_id!r}"
            raise UserError(msg)
        task.cancel()
        await asyncio.wait([task])
        return await self.status(run_id)

    async def close(self) -> None:
        """Stop every run."""
        running = [task for task in self._tasks.values() if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _folder(self, run_id: str) -> RunFolder:
        return RunFolder(self.settings.runs_dir, run_id)

    def _read(self, run_id: str) -> Result:
        path = self._folder(run_id).result
        if not path.is_file():
            msg = f"no finished run {run_id!r} in {path.parent.parent}"
            raise UserError(msg)
        return Result.read(path)


def _load(folder: str, settings: Settings) -> Task:
    return Task.load(Path(folder).expanduser().absolute(), goal=settings.goal, metric=settings.metric)


def make_server(settings: Settings) -> MCPServer[None]:
    """Return the server; `settings` are the defaults of every run."""
    runs = Runs(settings)

    @asynccontextmanager
    async def lifespan(server: MCPServer[None]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await runs.close()

    server = MCPServer(name="mlestar", instructions=INSTRUCTIONS, version=__version__, lifespan=lifespan)

    @server.tool()
    async def run(folder: str, goal: str | None = None, settings: dict[str, Any] | None = None) -> Status:
        """Start solving a task folder and return its run id at once.

        Args:
            folder: absolute path of a folder with train and test tables, best with a description.
            goal: what to predict and how it is scored, if the folder does not say.
            settings: values of single settings, e.g. {"profile": "quick", "max_hours": 1}.
        """
        with _told():
            given = {**(settings or {}), **({"goal": goal} if goal else {})}
            return await runs.status(await runs.start(folder, given))

    @server.tool()
    async def status(run_id: str) -> Status:
        """Return how far a run is: its last lines of progress and the best score so far."""
        with _told():
            return await runs.status(run_id)

    @server.tool()
    async def result(run_id: str) -> RunSummary:
        """Return what a finished run submitted: scores, and the paths of submission, script and report."""
        with _told():
            return await runs.result(run_id)

    @server.tool()
    async def cancel(run_id: str) -> Status:
        """Stop a run. Its state is saved and its containers are gone when this returns."""
        with _told():
            return await runs.cancel(run_id)

    return server


@contextmanager
def _told() -> Iterator[None]:
    """Turn errors of this package into answers that the client's model can act on."""
    try:
        yield
    except MlestarError as error:
        raise ToolError(str(error)) from error
