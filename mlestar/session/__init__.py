"""One session of a run: from opening its folder to its end, a question that nobody answers, or a stop."""

import asyncio
import contextlib
import errno
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from mlestar.data.task import Task
from mlestar.errors import OperatorError, StopRequested, StoreError, UserError
from mlestar.events import Event
from mlestar.graph import build_graph
from mlestar.llm import Passed
from mlestar.nodes.submit import export_firsts, hand_in_best
from mlestar.report import Result, write_result
from mlestar.retrieval import Searches
from mlestar.runners import Runner
from mlestar.runtime.context import Parts, Workbench, close_workbench, open_workbench
from mlestar.session.questions import OnQuestion, Question, find_answers, read_question, write_questions
from mlestar.settings import Settings
from mlestar.state import Answer, PipelineInput, PipelineState, RunStatus
from mlestar.store import RunFolder, open_checkpoints

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
OnEvent = Callable[[Event], None]


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
    answers: Mapping[str, Answer] | None
    """Answers to the pending questions by their ids; they go before `on_question`."""
    stop: asyncio.Event | None
    """Set it, and the run finishes what it is doing, saves it and raises `StopRequested`."""


@asynccontextmanager
async def open_session(
    settings: Settings, run_id: str, folder: Path | None, live: Live, *, task: Task | None = None
) -> AsyncIterator[Workbench]:
    """Open a run's workbench; a disk that fails anywhere in the session is a stop.

    Args:
        settings: of the run.
        run_id: name of the run folder.
        folder: the task's, None for a run that has recorded it.
        live: objects to use instead of those the settings name.
        task: a loaded task to use instead of what lies in the folder.
    """
    try:
        bench = await open_workbench(settings, run_id, folder, _parts(live, task))
        try:
            yield bench
        finally:
            await close_workbench(bench)
    except Exception as error:
        stop = _as_stop(error, RunFolder(settings.runs_dir, run_id))
        if stop is error:
            raise
        raise stop from error


async def run_session(bench: Workbench, start: PipelineInput, live: Live, *, fresh: bool = False) -> Result:
    """Run the pipeline from where it is to its end, a question nobody answers, or a stop."""
    thread = (await asyncio.to_thread(bench.folder.read_settings)).thread
    async with _stoppable(bench, live), open_checkpoints(bench.folder.checkpoints, bench.settings.checkpoints) as saver:
        if fresh:
            await _forget(bench, saver, thread)
        graph = build_graph().compile(checkpointer=saver, name="pipeline")
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        known = await graph.aget_state(config)
        await export_firsts(bench, _state(known.values, "stopped"))
        step: PipelineInput | Command[Any] | None = None if known.next else start
        try:
            while True:
                await _stream(graph, step, config, bench.settings, live.get("on_event"))
                after = await graph.aget_state(config)
                if not after.next:
                    await asyncio.to_thread(bench.folder.questions.unlink, missing_ok=True)
                    return await asyncio.to_thread(Result.read, bench.folder.result)
                questions = {i.id: read_question(i.value) for i in after.interrupts}
                answers = await find_answers(
                    bench.ledger, questions, live.get("answers") or {}, live.get("on_question")
                )
                if not answers:
                    return await _pause(bench, _state(after.values, "paused"), list(questions.values()))
                step = Command(resume=answers)
        except UserError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            stop = _as_stop(error, bench.folder)
            with contextlib.suppress(OperatorError, OSError, sqlite3.Error):
                known = await graph.aget_state(config)
                await _save(bench, _state(known.values, "stopped"), stop)
            if stop is error:
                raise
            raise stop from error


@asynccontextmanager
async def _stoppable(bench: Workbench, live: Live) -> AsyncIterator[None]:
    """Stop starting work when the caller asks for it."""
    stop = live.get("stop")
    if stop is None:
        yield
        return

    async def watch() -> None:
        await stop.wait()
        bench.budget.stop()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _save(bench: Workbench, reached: PipelineState, stop: BaseException) -> None:
    """Hand in the best so far, where scripts may still execute, and report what was reached."""
    status, message = _ending(stop)
    if not isinstance(stop, StopRequested | StoreError | asyncio.CancelledError):
        await hand_in_best(bench, reached)
    await write_result(bench, {**reached, "status": status}, message=message)


async def _forget(bench: Workbench, saver: BaseCheckpointSaver[str], thread: str) -> None:
    await saver.adelete_thread(thread)
    await asyncio.to_thread(bench.ledger.forget)
    folder = bench.folder
    for path in (folder.result, folder.report, folder.solution, folder.submission, folder.questions):
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _pause(bench: Workbench, reached: PipelineState, questions: list[Question]) -> Result:
    """Leave the questions in the run folder and return what was reached."""
    await asyncio.to_thread(write_questions, bench.folder, questions)
    ids = ", ".join(question.id for question in questions)
    return await write_result(bench, reached, message=f"asked about: {ids}; see {bench.folder.questions.name}")


def _as_stop(error: BaseException, folder: RunFolder) -> BaseException:
    """Return the stop that an error amounts to: a disk or a database that fails is no defect of this package."""
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        error = StoreError(f"{folder.path} cannot be written ({error.strerror}): free some space")
    elif isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
        first = (str(error).splitlines() or [""])[0]
        error = StoreError(f"the checkpoints of {folder.path} cannot be written: {first}")
    if isinstance(error, OperatorError):
        error.run = str(folder.path)
    return error


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


def _parts(live: Live, task: Task | None) -> Parts:
    on_event = live.get("on_event")
    return Parts(
        task=task,
        model=live.get("model"),
        runner=live.get("runner"),
        search=live.get("search"),
        on_progress=(lambda line: on_event(Event(stage="sandbox", message=line))) if on_event else None,
    )
