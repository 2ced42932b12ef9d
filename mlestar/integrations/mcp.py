"""`mlestar mcp`: runs as tools of the Model Context Protocol, for any of its clients."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from mlestar import __version__
from mlestar.api import asolve, load_task
from mlestar.errors import MlestarError, UserError
from mlestar.events import Event
from mlestar.integrations.messages import describe_error
from mlestar.metrics.spec import Direction, better, format_score
from mlestar.report import Result, read_result
from mlestar.settings import Settings
from mlestar.state import RunStatus, RunSummary
from mlestar.store import RunFolder, claim_run_id

LAST_LINES = 5
INSTRUCTIONS = (
    "Solve machine-learning tasks. `run` starts one from a folder and returns at once; ask `status` until it is no "
    "longer running, then `result`. Scores are graded on rows that no generated script saw."
)


class Status(BaseModel):
    """The progress of a run."""

    run_id: str
    status: RunStatus | Literal["running"]
    best: str = ""
    """The best solution so far with its score on the rows withheld during the search."""
    last: list[str] = []
    """Its last lines of progress."""
    problem: str = ""


class Runs:
    """The runs that this server has started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tasks: dict[str, asyncio.Task[Result]] = {}
        self._events: dict[str, list[Event]] = {}

    async def start(self, folder: str, values: dict[str, Any]) -> str:
        """Start a run with some settings of its own and return its id.

        Raises:
            UserError: the folder or a setting cannot be used.
        """
        fixed = {"runs_dir": self.settings.runs_dir}
        settings = Settings.resolve({**self.settings.model_dump(exclude_unset=True), **values, **fixed})
        task = await asyncio.to_thread(load_task, Path(folder), settings)
        run_id = await asyncio.to_thread(claim_run_id, settings.runs_dir, task.folder.name)
        events = self._events[run_id] = []
        self._tasks[run_id] = asyncio.create_task(
            asolve(task, settings=settings, run_id=run_id, on_event=events.append)
        )
        return run_id

    async def status(self, run_id: str) -> Status:
        """Return the progress of a run, also of one that another process started."""
        task, events = self._tasks.get(run_id), self._events.get(run_id, [])
        last = [f"{event.stage}: {event.message}" for event in events if not event.role][-LAST_LINES:]
        reached = Status(run_id=run_id, status="running", best=_best_event(events), last=last)
        if task is not None and not task.done():
            return reached
        problem = _problem(task)
        if task is not None and not await asyncio.to_thread(self._folder(run_id).result.is_file):
            ended: RunStatus = "stopped" if task.cancelled() else "failed"
            return reached.model_copy(update={"status": ended, "problem": problem})
        result = await asyncio.to_thread(self._read, run_id)
        best = _best_row(result) or reached.best
        return reached.model_copy(update={"status": result.status, "best": best, "problem": problem or result.message})

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
        return read_result(self._folder(run_id))


def _problem(task: asyncio.Task[Result] | None) -> str:
    """Return why a run that ended raised, empty when it did not."""
    if task is None or task.cancelled():
        return ""
    error = task.exception()
    return describe_error(error) if isinstance(error, MlestarError) else str(error or "")


def _best_event(events: Sequence[Event]) -> str:
    """Return the best solution among the graded scripts of a run."""
    direction = next((event.direction for event in events if event.direction), None)
    return _best(direction, [(event.solution or "", event.score) for event in events]) if direction else ""


def _best_row(result: Result) -> str:
    """Return the best solution in the result of a run."""
    rows = [row for row in result.solutions if row.status == "ok"]
    scores = [row.score.reported if row.score.holdout is None else row.score.holdout for row in rows]
    return _best(result.direction, [(row.id, score) for row, score in zip(rows, scores, strict=True)])


def _best(direction: Direction, scores: Sequence[tuple[str, float | None]]) -> str:
    """Return the solution with the best score, and the score."""
    best, best_score = "", None
    for solution, score in scores:
        if better(direction, score, best_score):
            best, best_score = solution, score
    return f"{best} {format_score(best_score)}" if best else ""


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
            goal: what to predict and how it is scored, if the folder has no description.
            settings: values of single settings, e.g. {"profile": "quick", "max_hours": 1}.
        """
        values = {**(settings or {}), **({"goal": goal} if goal else {})}
        with _tool_errors():
            return await runs.status(await runs.start(folder, values))

    @server.tool()
    async def status(run_id: str) -> Status:
        """Return the progress of a run: its last lines and the best score so far."""
        with _tool_errors():
            return await runs.status(run_id)

    @server.tool()
    async def result(run_id: str) -> RunSummary:
        """Return what a finished run submitted: scores, and the paths of submission, script and report."""
        with _tool_errors():
            return await runs.result(run_id)

    @server.tool()
    async def cancel(run_id: str) -> Status:
        """Stop a run. Its state is saved and its containers are gone when this returns."""
        with _tool_errors():
            return await runs.cancel(run_id)

    return server


@contextmanager
def _tool_errors() -> Iterator[None]:
    """Turn errors of this package into tool errors that the client's model can act on."""
    try:
        yield
    except MlestarError as error:
        raise ToolError(describe_error(error)) from error
