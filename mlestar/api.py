"""The public doors: solve a task folder, resume a run."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from queue import Queue
from typing import Any, Unpack

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from mlestar.errors import OperatorError, UserError
from mlestar.events import Event
from mlestar.graph import build_graph
from mlestar.models import Passed
from mlestar.report import Result, write_result
from mlestar.runners import Runner
from mlestar.search import Searches
from mlestar.settings import ReviewPoint, Settings
from mlestar.state import Action, Answer, PipelineInput, PipelineState, RunStatus
from mlestar.store import RunFolder, make_run_id, open_checkpoints
from mlestar.task import Task
from mlestar.workbench import Parts, Workbench, close_workbench, open_workbench

SettingsLike = Settings | Mapping[str, Any] | None
OnEvent = Callable[[Event], None]


class Question(BaseModel):
    """What a run asks a person at a review point."""

    model_config = ConfigDict(frozen=True)

    id: str
    point: ReviewPoint
    actions: tuple[Action, ...]
    """What can be answered here."""
    proposal: dict[str, Any]
    """What is proposed, by name; texts, numbers and lists of them. `problem`: why the last answer could not be used."""


OnQuestion = Callable[[Question], Answer]


class Live(TypedDict, total=False):
    """Live objects to use instead of those the settings name, and who follows the run."""

    model: Passed
    """A chat model for every role, or models by role, group of roles or `default`."""
    runner: Runner | None
    search: Searches
    """A search, a LangChain tool or retriever, or several of them."""
    on_event: OnEvent | None
    """Receives every progress event."""
    on_question: OnQuestion | None
    """Answers at the review points of the settings; without it the run pauses there."""


def solve(
    task: str | Path | Task, *, settings: SettingsLike = None, run_id: str | None = None, **live: Unpack[Live]
) -> Result:
    """Solve a task folder; the blocking form of `asolve`."""
    return _wait_for(asolve(task, settings=settings, run_id=run_id, **live))


async def asolve(
    task: str | Path | Task, *, settings: SettingsLike = None, run_id: str | None = None, **live: Unpack[Live]
) -> Result:
    """Solve a task folder and return the result; a run that exists is resumed.

    Args:
        task: folder with a task description and data, or a loaded `Task`.
        settings: `Settings` or their values.
        run_id: name of the run folder; made from the task's name and the time when not given.
        **live: see `Live`.

    Raises:
        UserError: the folder, a setting or the environment cannot be used; nothing is left behind.
        OperatorError: the run had to stop; its state is saved and `resume` goes on from there.
    """
    chosen = Settings.resolve(settings)
    loaded = task if isinstance(task, Task) else await asyncio.to_thread(_load, Path(task), chosen)
    run_id = run_id or make_run_id(loaded.folder.name)
    run_folder = RunFolder(chosen.runs_dir, run_id)
    existed = await asyncio.to_thread(run_folder.path.exists)
    try:
        async with _opened(chosen, run_id, loaded.folder, _parts(live, loaded)) as bench:
            return await _work(bench, PipelineInput(task=str(loaded.folder), run_id=run_id), live)
    except UserError:
        if not existed:
            await asyncio.to_thread(_leave_nothing, run_folder)
        raise


def resume(run_id: str, *, runs_dir: str | Path = "runs", task: Task | None = None, **live: Unpack[Live]) -> Result:
    """Go on with a run; the blocking form of `aresume`."""
    return _wait_for(aresume(run_id, runs_dir=runs_dir, task=task, **live))


async def aresume(
    run_id: str, *, runs_dir: str | Path = "runs", task: Task | None = None, **live: Unpack[Live]
) -> Result:
    """Go on with a run where it stopped, with its own settings; a finished run returns its result.

    Args:
        run_id: name of the run folder.
        runs_dir: folder that holds the run folders.
        task: needed again when the run was started from a `Task` with a metric of its own.
        **live: see `Live`.

    Raises:
        UserError: there is no such run.
        OperatorError: the run had to stop again, or another process works on it.
    """
    folder = RunFolder(Path(runs_dir), run_id)
    recorded = await asyncio.to_thread(folder.read_settings)
    settings = Settings.resolve({**recorded.settings, "runs_dir": runs_dir})
    async with _opened(settings, run_id, None, _parts(live, task)) as bench:
        return await _work(bench, PipelineInput(task=recorded.task, run_id=run_id), live)


def _wait_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work and return its result, also where an event loop is running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    started: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Task[Result]]] = Queue()

    async def start() -> Result:
        task = asyncio.create_task(work)
        started.put((asyncio.get_running_loop(), task))
        return await task

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, start())
        try:
            return done.result()
        except KeyboardInterrupt:
            loop, task = started.get()
            loop.call_soon_threadsafe(task.cancel)
            raise


def _load(folder: Path, settings: Settings) -> Task:
    return Task.load(folder.expanduser().absolute(), goal=settings.goal, metric=settings.metric)


@asynccontextmanager
async def _opened(settings: Settings, run_id: str, task: Path | None, parts: Parts) -> AsyncIterator[Workbench]:
    bench = await open_workbench(settings, run_id, task, parts)
    try:
        yield bench
    finally:
        await close_workbench(bench)


async def _work(bench: Workbench, start: PipelineInput, live: Live) -> Result:
    """Run the pipeline from where it is to its end, a question nobody answers, or a stop."""
    async with open_checkpoints(bench.folder.checkpoints) as saver:
        graph = build_graph().compile(checkpointer=saver, name="pipeline")
        config: RunnableConfig = {"configurable": {"thread_id": bench.folder.run_id}}
        known = await graph.aget_state(config)
        if known.values and not known.next and bench.folder.result.is_file():
            return await asyncio.to_thread(Result.read, bench.folder.result)
        step: PipelineInput | Command[Any] | None = None if known.next else start
        try:
            while True:
                await _stream(graph, step, config, bench.settings, live.get("on_event"))
                after = await graph.aget_state(config)
                if not after.next:
                    return await asyncio.to_thread(Result.read, bench.folder.result)
                questions = [Question(id=i.id, **_split_point(i.value)) for i in after.interrupts]
                ask = live.get("on_question")
                if ask is None:
                    points = ", ".join(question.point for question in questions)
                    return await write_result(bench, _state(after.values, "paused"), message=f"asked about: {points}")
                answers = {q.id: (await asyncio.to_thread(ask, q)).model_dump() for q in questions}
                step = Command(resume=answers)
        except UserError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, OperatorError):
                error.run = str(bench.folder.path)
            known = await graph.aget_state(config)
            status, message = _ending(error)
            await write_result(bench, _state(known.values, status), message=message)
            raise


def _ending(error: BaseException) -> tuple[RunStatus, str]:
    """Return how a run ended that an exception ended; anything but a stop is a defect of this package."""
    if isinstance(error, asyncio.CancelledError):
        return "stopped", "interrupted"
    if isinstance(error, OperatorError):
        return "stopped", str(error)
    return "failed", f"{type(error).__name__}: {error}"


async def _stream(
    graph: CompiledStateGraph[PipelineState, Settings, PipelineInput, PipelineState],
    start: PipelineInput | Command[Any] | None,
    config: RunnableConfig,
    settings: Settings,
    on_event: OnEvent | None,
) -> None:
    stream = graph.astream(
        start, config, context=settings, stream_mode="custom", subgraphs=True, durability="sync", version="v2"
    )
    async for part in stream:
        if on_event and isinstance(part["data"], Event):
            on_event(part["data"])


def _state(values: Mapping[str, Any], status: RunStatus) -> PipelineState:
    return {**values, "status": status}  # type: ignore[typeddict-item]  # a snapshot's values are untyped


def _split_point(value: Mapping[str, Any]) -> dict[str, Any]:
    asked = ("point", "actions")
    proposal = {key: text for key, text in value.items() if key not in asked}
    return {**{key: value[key] for key in asked}, "proposal": proposal}


def _parts(live: Live, task: Task | None) -> Parts:
    on_event = live.get("on_event")
    return Parts(
        task=task,
        model=live.get("model"),
        runner=live.get("runner"),
        search=live.get("search"),
        on_progress=(lambda line: on_event(Event(stage="sandbox", message=line))) if on_event else None,
    )


def _leave_nothing(folder: RunFolder) -> None:
    """Remove a run folder that this call made, and the runs folder when it is empty."""
    shutil.rmtree(folder.path, ignore_errors=True)
    parent = folder.path.parent
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
