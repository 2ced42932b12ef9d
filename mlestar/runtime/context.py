"""What nodes need to act for one run, found by its run folder."""

import asyncio
import logging
import shutil
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from langgraph.runtime import Runtime

from mlestar.agents.context import AgentContext
from mlestar.agents.memorizing import RowValues
from mlestar.data.task import Task
from mlestar.events import Event
from mlestar.progress import EventLog
from mlestar.runtime.budget import Stage
from mlestar.runtime.executor import Executor
from mlestar.runtime.facts import step_facts
from mlestar.runtime.graded import GradedSubmissions
from mlestar.runtime.grading import Grading
from mlestar.runtime.inputs import StagedInputs
from mlestar.runtime.options import RunOptions
from mlestar.runtime.progress import emit_event
from mlestar.runtime.row_values import read_row_values
from mlestar.runtime.services import Services, open_services
from mlestar.runtime.submission import SubmissionFiles
from mlestar.runtime.weights import check_weight_folders
from mlestar.runtime.workers import Workers
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, Brief
from mlestar.store import RunFolder, RunLock, finish

logger = logging.getLogger("mlestar.runtime")


class RunContext:
    """One run at work: its services, its staged inputs and its executor."""

    def __init__(
        self,
        settings: Settings,
        folder: RunFolder,
        *,
        services: Services,
        inputs: StagedInputs,
        executor: Executor,
        events: EventLog,
        lock: RunLock,
        owned: bool,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.services = services
        self.inputs = inputs
        self.executor = executor
        self.events = events
        """Receives the events of a session: keeps them in the run folder and passes them to the caller."""
        self.graded = GradedSubmissions(services.ledger, settings.max_graded)
        self.submission = SubmissionFiles(folder, services.blobs, services.ledger)
        self.grading = Grading(settings.grading_seconds, trust=settings.trust)
        self.owned = owned
        """Whoever opened it closes it; otherwise the run's last node does."""
        self._background: set[asyncio.Task[None]] = set()
        self.workers = Workers(partial(close_context, self), lambda: bool(self._background))
        self._lock = lock
        self._briefs: dict[str, Brief] = {}
        self._row_values: RowValues | None = None

    async def brief(self, state: Mapping[str, Any]) -> Brief:
        """Return the brief that a state refers to."""
        blob = state["brief"]
        if blob not in self._briefs:
            self._briefs[blob] = Brief.model_validate_json(await self.services.text(blob))
        return self._briefs[blob]

    async def agent(
        self, state: Mapping[str, Any], track: int = 0, stage: Stage = "search", *, step: str = ""
    ) -> AgentContext:
        """Return the context in which an agent works on a state's task; see `Services.agent`.

        With the name of a step, the agent is also told what the run knew when that step began.
        """
        agent = self.services.agent(await self.brief(state), track, stage)
        if not step:
            return agent
        # What other tracks have confirmed by then depends on how fast they are: without lessons, a run that is repeated
        # has the same prompts.
        asks = track if self.settings.lessons else NO_TRACK
        return replace(agent, facts=await step_facts(self.services.ledger, self.services.budget, step, asks))

    async def row_values(self, brief: Brief) -> RowValues | None:
        """Return the ids and labels that scripts must not contain; None where labels cannot be located."""
        if self._row_values is None:
            task, grader = await self.inputs.task(brief), (await self.inputs.search(brief)).grader
            self._row_values = await asyncio.to_thread(read_row_values, task, grader.holdout if grader else None)
        return self._row_values

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that the graph does not wait for; `aclose` cancels what is not finished."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def aclose(self) -> None:
        """End the work in the background and release the runner, the ledger and the lock."""
        unfinished = list(self._background)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        try:
            await asyncio.to_thread(self.grading.close)
            await self.executor.aclose()
            await asyncio.to_thread(shutil.rmtree, self.folder.work, ignore_errors=True)
            await self.services.budget.spend()
            await asyncio.to_thread(self.events.close)
        finally:
            # Closing waits for what is being written, which must not hold up the event loop.
            closing = asyncio.ensure_future(asyncio.to_thread(self.services.ledger.close))
            try:
                await finish(closing)
            finally:
                self._lock.close()
        logger.info("run %s: closed", self.folder.run_id)


_OPENING = threading.Lock()
_OPEN: dict[Path, RunContext] = {}
"""Run contexts of this process by run folder. State and context hold plain data only, so nodes find the services of
their run here."""
_CLOSING: set[Path] = set()
"""Run folders whose contexts hold the lock until they are closed."""
CLOSING_POLL = 0.05
"""Seconds between two checks of a context that is being closed, perhaps on another event loop. Chosen by judgement."""


def load_task(folder: Path, settings: Settings, workspace: Path | None = None) -> Task:
    """Return the task of a folder, with what the settings say about it.

    Args:
        folder: of the task.
        settings: of the run.
        workspace: the folder for converted input files; None for a temporary one.
    """
    chosen = {"target": settings.target or None, "id": settings.id_column, "split": settings.split}
    path = folder.expanduser().absolute()
    return Task.load(path, goal=settings.goal, metric=settings.metric, workspace=workspace, **chosen)


async def open_context(
    settings: Settings,
    run_id: str,
    task_folder: Path | None = None,
    options: RunOptions | None = None,
    task: Task | None = None,
) -> RunContext:
    """Return the context of a run, opening it when this process has not done so.

    Args:
        settings: of the run; a run that exists keeps the task folder it was made with.
        run_id: name of the run folder.
        task_folder: needed for a run that does not exist.
        options: live objects to use instead of those the settings name.
        task: a loaded task to use instead of what is in the folder.

    Raises:
        UserError: the run does not exist and no task folder is given, or the runs folder cannot be written.
        StoreError: another process works on the run.
    """
    # In a thread: a relative runs folder asks the system for the current one.
    folder = await asyncio.to_thread(RunFolder, settings.runs_dir, run_id)
    while True:
        if folder.path not in _CLOSING:
            ctx = await asyncio.to_thread(_open, settings, folder, task_folder, options, task)
            if not ctx.owned:
                ctx.workers.enter()
            if _OPEN.get(folder.path) is ctx:
                return ctx
        await asyncio.sleep(CLOSING_POLL)


async def find_context(state: Mapping[str, Any], runtime: Runtime[Settings]) -> RunContext:
    """Return the context of the run that a node works on."""
    return await open_context(Settings.of(runtime.context), state["run_id"])


async def close_context(ctx: RunContext) -> None:
    """Release a run's services, once."""
    path = ctx.folder.path
    if _OPEN.get(path) is not ctx:
        return
    _CLOSING.add(path)
    del _OPEN[path]
    try:
        await ctx.aclose()
    finally:
        _CLOSING.discard(path)


async def release_context(ctx: RunContext) -> None:
    """Release the services of a run that ends, unless whoever opened them closes them."""
    if not ctx.owned:
        await close_context(ctx)


def _open(
    settings: Settings, folder: RunFolder, task_folder: Path | None, options: RunOptions | None, task: Task | None
) -> RunContext:
    with _OPENING:
        if folder.path not in _OPEN:
            if task_folder is None or folder.settings.is_file():
                recorded = folder.read_settings()  # refuses other formats before anything is written
                task_folder = task_folder or Path(recorded.task)
            task_folder = task_folder.absolute()
            folder.create()
            lock = folder.lock()
            try:
                # First of all, so that a run that is killed at once can be resumed by its name alone.
                folder.record_settings(task_folder, settings.model_dump(mode="json"))
                _OPEN[folder.path] = _make_context(settings, folder, task_folder, options, task, lock)
            except BaseException:
                lock.close()
                raise
        return _OPEN[folder.path]


def _make_context(
    settings: Settings,
    folder: RunFolder,
    task_folder: Path,
    options: RunOptions | None,
    task: Task | None,
    lock: RunLock,
) -> RunContext:
    given = options or {}
    check_weight_folders(settings, task_folder)
    services = open_services(settings, folder, task_folder, given, task.spec.name if task else "")
    events = EventLog(folder.events, given.get("on_event"))

    load = partial(load_task, task_folder, settings, folder.prepared)

    def report(line: str) -> None:
        events(Event(stage="sandbox", message=line))

    def emit(event: Event) -> None:
        if not emit_event(event):
            events(event if event.stage else event.model_copy(update={"stage": event.work}))

    inputs = StagedInputs(folder, load, task, resamples=settings.resamples, link_above_mb=settings.link_above_mb)

    async def find_data() -> str:
        return (await inputs.task()).spec.modality

    return RunContext(
        settings,
        folder,
        services=services,
        inputs=inputs,
        executor=Executor(settings, folder, services, given.get("runner"), report, find_data, emit),
        events=events,
        lock=lock,
        owned=options is not None,
    )
