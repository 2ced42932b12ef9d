"""The runs of a server: start, follow, resume, answer and stop them."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage
from pydantic import BaseModel

from mlestar.api import aresume, asolve, resumed_settings
from mlestar.errors import MlestarError, UserError, clean_text
from mlestar.events import Event
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.messages import describe_error
from mlestar.integrations.open_calls import OpenCalls
from mlestar.llm.external import ModelCall
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import Direction, better
from mlestar.report import Result, read_result
from mlestar.runtime.context import load_task
from mlestar.runtime.graded import BETTER
from mlestar.runtime.options import RunOptions
from mlestar.session.questions import read_open_questions
from mlestar.settings import Settings
from mlestar.state import Answer, Question, RunStatus, RunSummary
from mlestar.store import RunFolder, claim_run_id, list_runs

LAST_LINES = 5
TOOLS = {"runs": "the tool `list`", "resume": "the tool `resume`", "fork": "a new run of the tool `run`"}
"""What a client uses in place of commands that messages name."""


class Status(BaseModel):
    """The progress of a run."""

    run_id: str
    status: RunStatus | Literal["running"]
    best: str = ""
    """The best solution so far with its score on the rows withheld during the search."""
    last: list[str] = []
    """Its last lines of progress."""
    problem: str = ""
    open_calls: int = 0
    """Model calls that wait for `answer_model_call`."""
    questions: list[Question] = []
    """What a run that has paused asks a person; `resume` takes the answers."""


class RunRow(BaseModel):
    """A run in the list of runs."""

    run_id: str
    status: RunStatus | Literal["running", "unfinished", "unreadable"]
    best: str = ""
    message: str = ""


class LiveRun:
    """A run that this server has started or resumed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.calls = OpenCalls()
        self.events: list[Event] = []
        self.reported = 0
        """Lines of progress that a client was sent."""
        self.task: asyncio.Task[Result] | None = None
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def begin(self, work: Callable[[RunOptions], Coroutine[Any, Any, Result]]) -> None:
        """Start the work; this object receives the run's events and model calls."""
        self.task = asyncio.create_task(work({"on_event": self._keep, "on_model_call": self._ask}))
        self.task.add_done_callback(lambda done: self.notify())

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    @property
    def lines(self) -> list[str]:
        return [f"{event.stage}: {event.message}" for event in self.events if event.is_line]

    def notify(self) -> None:
        """Wake all that wait for a change; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._wake)

    @property
    def changed(self) -> asyncio.Event:
        """Event that is set when something happens in the run; get it before reading the run to miss nothing."""
        return self._changed

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _keep(self, event: Event) -> None:
        self.events.append(event)
        self.notify()

    async def _ask(self, call: ModelCall) -> AIMessage:
        self.notify()
        return await self.calls.ask(call)


class Runs:
    """The runs below one folder."""

    def __init__(self, settings: Settings, rules: ClientRules | None = None) -> None:
        """Describe the runs.

        Args:
            settings: defaults of every run, and ceilings of its caps.
            rules: what clients may do; by default what `ClientRules` says of an operator without a file.
        """
        self.settings = settings
        self.rules = rules or ClientRules().with_roots(())
        self._live: dict[str, LiveRun] = {}

    async def start(self, folder: str, values: Mapping[str, Any]) -> str:
        """Start a run with some settings of its own and return its id.

        Raises:
            UserError: the folder or a setting cannot be used, or a client may not use it.
        """
        limited = self.rules.limit(self.settings, values)
        settings = self.settings.change({**limited, "runs_dir": self.settings.runs_dir})
        task = await asyncio.to_thread(load_task, self.rules.open_task(folder), settings)
        run_id = await asyncio.to_thread(claim_run_id, settings.runs_dir, task.folder.name)
        live = self._live[run_id] = LiveRun(settings)
        live.begin(lambda options: asolve(task, settings=settings, run_id=run_id, **options))
        return run_id

    async def resume(self, run_id: str, values: Mapping[str, Any], answers: Mapping[str, Answer]) -> None:
        """Resume a run with other caps, or with answers to what it asks.

        Raises:
            UserError: there is no such run, it is running, or a cap or an answer cannot be used.
        """
        if self.is_running(run_id):
            msg = f"run {run_id} is still running; call `status`"
            raise UserError(msg)
        self.rules.limit(self.settings, values)
        folder = self._folder(run_id)
        settings = await asyncio.to_thread(resumed_settings, folder, values)
        asked = [question.id for question in await asyncio.to_thread(read_open_questions, folder)]
        if unknown := sorted(set(answers) - set(asked)):
            msg = f"run {run_id} does not ask {unknown[0]!r}; it asks: {', '.join(asked) or 'nothing'}"
            raise UserError(msg)

        def work(options: RunOptions) -> Coroutine[Any, Any, Result]:
            both: RunOptions = {**options, "answers": answers}
            return aresume(run_id, runs_dir=self.settings.runs_dir, settings=values, **both)

        live = self._live[run_id] = LiveRun(settings)
        live.begin(work)

    def is_running(self, run_id: str) -> bool:
        return run_id in self._live and self._live[run_id].is_running

    def live(self, run_id: str) -> LiveRun:
        """Return a run that this server works on.

        Raises:
            UserError: it does not.
        """
        if run_id not in self._live:
            msg = f"this server has not started a run {run_id!r}; `list` names the runs, `resume` continues one"
            raise UserError(msg)
        return self._live[run_id]

    async def list(self) -> list[RunRow]:
        """Return every run, oldest first."""
        paths = await asyncio.to_thread(list_runs, self.settings.runs_dir)
        return [await self._row(path.name) for path in paths]

    async def _row(self, run_id: str) -> RunRow:
        if self.is_running(run_id):
            return RunRow(run_id=run_id, status="running", best=_best_event(self._live[run_id].events))
        if not await asyncio.to_thread(self._folder(run_id).result.is_file):
            return RunRow(run_id=run_id, status="unfinished")
        try:
            result = await asyncio.to_thread(self._read, run_id)
        except UserError as error:
            return RunRow(run_id=run_id, status="unreadable", message=str(error))
        message = result.summary.message
        return RunRow(run_id=run_id, status=result.status, best=_best_row(result), message=message)

    async def status(self, run_id: str) -> Status:
        """Return the progress of a run, also of one that another process started."""
        live = self._live.get(run_id) or LiveRun(self.settings)
        reached = Status(run_id=run_id, status="running", best=_best_event(live.events), last=live.lines[-LAST_LINES:])
        if live.is_running:
            return reached.model_copy(update={"open_calls": len(live.calls.all)})
        problem = _problem(live.task)
        folder = self._folder(run_id)
        if live.task is not None and not await asyncio.to_thread(folder.result.is_file):
            ended: RunStatus = "stopped" if live.task.cancelled() else "failed"
            return reached.model_copy(update={"status": ended, "problem": problem})
        result = await asyncio.to_thread(self._read, run_id)
        asked = await asyncio.to_thread(read_open_questions, folder)
        ending = {
            "status": result.status,
            "best": _best_row(result) or reached.best,
            "problem": problem or result.summary.message,
            "questions": [question for question in asked if isinstance(question, Question)],
        }
        return reached.model_copy(update=ending)

    async def result(self, run_id: str) -> RunSummary:
        """Return what a run submitted.

        Raises:
            UserError: there is no such run, or it has not ended.
        """
        if self.is_running(run_id):
            msg = f"run {run_id} is still running; call `status`"
            raise UserError(msg)
        return (await asyncio.to_thread(self._read, run_id)).summary

    async def read_file(self, run_id: str, path: str | None, name: str) -> str:
        """Return the text of a file of a run.

        Raises:
            UserError: there is no such run, it has no such file, or the file is a link or elsewhere.
        """
        if path is None:
            msg = f"run {run_id} has no {name}"
            raise UserError(msg)
        text = await asyncio.to_thread(self._folder(run_id).read_own_text, Path(path))
        # A submission is data and must stay as it was graded; script and report are read by people and models.
        return text if name == "submission" else clean_text(text)

    async def cancel(self, run_id: str) -> Status:
        """Stop a run; its state is saved, and its containers are gone when this returns."""
        task = self.live(run_id).task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        return await self.status(run_id)

    async def close(self) -> None:
        """Stop every run."""
        running = [live.task for live in self._live.values() if live.task is not None and not live.task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _folder(self, run_id: str) -> RunFolder:
        return RunFolder(self.settings.runs_dir, run_id)

    def _read(self, run_id: str) -> Result:
        return read_result(self._folder(run_id))


def _problem(task: "asyncio.Task[Result] | None") -> str:
    """Return why a run that ended raised, empty when it did not."""
    if task is None or task.cancelled():
        return ""
    error = task.exception()
    return describe_error(error, TOOLS) if isinstance(error, MlestarError) else str(error or "")


def _best_event(events: Sequence[Event]) -> str:
    """Return the best solution among the graded scripts of a run."""
    direction = next((event.direction for event in events if event.direction), None)
    if direction is None:
        return ""
    above = [event for event in events if event.standing == BETTER]
    if above:
        return f"{above[-1].solution} {above[-1].standing} before it"
    return _best(direction, [(event.solution or "", event.score, event.standard_error) for event in events])


def _best_row(result: Result) -> str:
    """Return the best solution in the result of a run."""
    rows = [row for row in result.solutions if row.status == "ok"]
    claims = [(row.id, row.score.reported, None) for row in rows if not row.standing]
    graded = [(row.id, row.score.holdout, row.score.holdout_se) for row in rows if row.score.holdout is not None]
    return _best(result.direction, graded or claims)


def _best(direction: Direction, scores: Sequence[tuple[str, float | None, float | None]]) -> str:
    """Return the solution with the best score, and the score."""
    best: tuple[str, float | None, float | None] = ("", None, None)
    for row in scores:
        if better(direction, row[1], best[1]):
            best = row
    solution, score, error = best
    return f"{solution} {format_score(score, error)}" if solution else ""
