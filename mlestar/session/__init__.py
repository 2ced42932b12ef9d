"""One session of a run: from opening its folder to its end, a question that nobody answers, or a stop."""

import asyncio
import contextlib
import errno
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from mlestar.data.task import Task
from mlestar.errors import OperatorError, StopRequested, StoreError, UserError
from mlestar.events import Event, RunFacts, Spending
from mlestar.graph import build_graph
from mlestar.llm.external import ModelCall
from mlestar.nodes.submit import resume_early_exports, submit_best
from mlestar.report import Result, write_result
from mlestar.runtime.context import RunContext, close_context, open_context
from mlestar.runtime.options import OnEvent, RunOptions
from mlestar.session.questions import Answers, read_question, write_questions
from mlestar.session.tracking import tracked
from mlestar.settings import Settings
from mlestar.state import PipelineInput, PipelineState, Question, RunStatus
from mlestar.store import RunFolder, finish, open_checkpoints
from mlestar.store.damage import damaged

logger = logging.getLogger("mlestar.session")

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@asynccontextmanager
async def open_session(
    settings: Settings, run_id: str, folder: Path | None, options: RunOptions, *, task: Task | None = None
) -> AsyncIterator[RunContext]:
    """Open a run's context; a disk that fails anywhere in the session stops the run.

    Args:
        settings: of the run.
        run_id: name of the run folder.
        folder: the task's, None for a run that has recorded it.
        options: objects to use instead of those the settings name.
        task: a loaded task to use instead of the folder's content.
    """
    settings.trackers.check_usable()
    try:
        ctx = await open_context(settings, run_id, folder, options, task)
        try:
            yield ctx
        finally:
            await close_context(ctx)
    except (Exception, asyncio.CancelledError) as error:
        stop = _as_stop(error, RunFolder(settings.runs_dir, run_id))
        if stop is error:
            raise
        raise stop from error


async def run_session(ctx: RunContext, start: PipelineInput, options: RunOptions, *, fresh: bool = False) -> Result:
    """Run the pipeline from its last checkpoint to its end, a question that nobody answers, or a stop."""
    thread = (await asyncio.to_thread(ctx.folder.read_settings)).thread
    checkpoints = open_checkpoints(ctx.folder.checkpoints, ctx.settings.checkpoints)
    async with tracked(ctx), _announced(ctx) as end, _stoppable(ctx, options), checkpoints as saver:
        if fresh:
            await _forget(ctx, saver, thread)
        graph = (options.get("graph") or build_graph()).compile(checkpointer=saver, name="pipeline")
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        saved = await _read_state(graph, config, ctx.folder)
        logger.info("run %s: %s", ctx.folder.run_id, "resumed" if saved.next else "started")
        step: PipelineInput | Command[Any] | None = None if saved.next else start
        answers = Answers(ctx.services.ledger, options.get("answers") or {}, options.get("on_question"))
        try:
            # Here, because what receives events may raise, and then too the run saves what it has.
            ctx.events(await asyncio.to_thread(_beginning, ctx))
            await resume_early_exports(ctx, _state(saved.values, "stopped"))
            while True:
                await _stream(graph, step, config, ctx.settings, ctx.events)
                after = await graph.aget_state(config)
                if not after.next:
                    logger.info("run %s: finished", ctx.folder.run_id)
                    await asyncio.to_thread(ctx.folder.questions.unlink, missing_ok=True)
                    return end.of(await asyncio.to_thread(Result.read, ctx.folder.result))
                questions = {i.id: read_question(i.value) for i in after.interrupts}
                replies = await answers.find(questions)
                logger.info("run %s: %d of %d questions answered", ctx.folder.run_id, len(replies), len(questions))
                if not replies:
                    return end.of(await _pause(ctx, _state(after.values, "paused"), list(questions.values())))
                step = Command(resume=replies)
        except UserError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            stop = _as_stop(error, ctx.folder)
            logger.info("run %s: stopped by %s", ctx.folder.run_id, type(stop).__name__, exc_info=error)
            with contextlib.suppress(OperatorError, OSError, sqlite3.Error):
                saved = await graph.aget_state(config)
                await _save(ctx, _state(saved.values, "stopped"), stop)
            if stop is error:
                raise
            raise stop from error


class _End:
    """How a session ended, for its last event."""

    def __init__(self) -> None:
        self.status: RunStatus = "failed"
        self.message = ""
        self.spend: Spending | None = None

    def of(self, result: Result) -> Result:
        """Take the ending from a result, and return it."""
        self.status, self.message = result.status, result.message
        self.spend = Spending.model_validate({**result.spend.model_dump(), "seconds": result.seconds})
        return result


@asynccontextmanager
async def _announced(ctx: RunContext) -> AsyncIterator[_End]:
    """Keep the events of a session, the last of which says how it ended."""
    ctx.events.open()
    end = _End()
    try:
        yield end
    except BaseException as error:
        end.status, end.message = _ending(error)
        raise
    finally:
        message = end.message or f"run {ctx.folder.run_id} has ended: {end.status.replace('_', ' ')}"
        ctx.events(Event(stage="run", message=message, work="run", phase="end", status=end.status, spend=end.spend))


def _beginning(ctx: RunContext) -> Event:
    """Return the first event of a session."""
    settings, run_id = ctx.settings, ctx.folder.run_id
    names = ("profile", "tracks", "outer_steps", "inner_plans", "max_hours", "max_usd", "max_tokens", "max_executions")
    facts = RunFacts(
        run_id=run_id,
        folder=str(ctx.folder.path),
        model=ctx.services.caller.models.title,
        seconds=ctx.services.budget.active_seconds(),
        **{name: getattr(settings, name) for name in names},
    )
    return Event(stage="run", message=f"run {run_id} begins", work="run", phase="begin", run=facts)


async def _read_state(
    graph: CompiledStateGraph[PipelineState, Settings, PipelineInput, PipelineState],
    config: RunnableConfig,
    folder: RunFolder,
) -> StateSnapshot:
    """Return the newest state of a run.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return await graph.aget_state(config)
    except (ValueError, TypeError, KeyError, AttributeError, EOFError) as error:
        raise damaged(folder.path, folder.checkpoints.name, f"cannot be read ({type(error).__name__})") from error


@asynccontextmanager
async def _stoppable(ctx: RunContext, options: RunOptions) -> AsyncIterator[None]:
    """Stop starting work when the caller asks for it."""
    stop = options.get("stop")
    if stop is None:
        yield
        return

    async def watch() -> None:
        await stop.wait()
        ctx.services.budget.stop()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _save(ctx: RunContext, reached: PipelineState, stop: BaseException) -> None:
    """Submit the best so far, where scripts may still execute, and report what was reached."""
    status, message = _ending(stop)
    if not isinstance(stop, StopRequested | StoreError | asyncio.CancelledError):
        try:
            await submit_best(ctx, reached)
        except Exception:  # a runner of somebody else's may raise anything; the report is written all the same
            logger.warning("run %s: nothing could be submitted", ctx.folder.run_id, exc_info=True)
    # A second Ctrl-C stops scripts at once, and leaves the result.
    await finish(asyncio.ensure_future(write_result(ctx, {**reached, "status": status}, message=message)))


async def _forget(ctx: RunContext, saver: BaseCheckpointSaver[str], thread: str) -> None:
    await saver.adelete_thread(thread)
    await asyncio.to_thread(ctx.services.ledger.forget)
    await asyncio.to_thread(ctx.services.reliability.read_notes)
    folder = ctx.folder
    await asyncio.to_thread(ctx.submission.withdraw)
    for path in (folder.result, folder.report, folder.questions):
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _pause(ctx: RunContext, reached: PipelineState, questions: list[Question | ModelCall]) -> Result:
    """Write the questions into the run folder and return what was reached."""
    await asyncio.to_thread(write_questions, ctx.folder, questions)
    ids = ", ".join(question.id for question in questions)
    return await write_result(ctx, reached, message=f"asked about: {ids}; see {ctx.folder.questions.name}")


def _as_stop(error: BaseException, folder: RunFolder) -> BaseException:
    """Return the error with which a run stops: a disk or a database that fails is no defect of this package."""
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        error = StoreError(f"{folder.path} cannot be written ({error.strerror}): free some space")
    elif isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
        first = (str(error).splitlines() or [""])[0]
        error = StoreError(f"the checkpoints of {folder.path} cannot be written: {first}")
    if isinstance(error, OperatorError):
        error.run = str(folder.path)
    elif isinstance(error, asyncio.CancelledError) and str(folder.path) not in error.args:
        # It may have a message of whoever cancelled.
        error.args = (*error.args, str(folder.path))
    return error


def _ending(error: BaseException) -> tuple[RunStatus, str]:
    """Return the status and the message of a run that an exception ended; other than a stop it is our defect."""
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
    on_event: OnEvent,
) -> None:
    stream = graph.astream(
        start, config, context=settings, stream_mode="custom", subgraphs=True, durability="sync", version="v2"
    )
    async for part in stream:
        if isinstance(part["data"], Event):
            on_event(part["data"])


def _state(values: Mapping[str, Any], status: RunStatus) -> PipelineState:
    return {**values, "status": status}  # type: ignore[typeddict-item]  # a snapshot's values are untyped
