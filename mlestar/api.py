"""The public doors: solve a task folder, resume a run, fork it, prune runs."""

import asyncio
import contextlib
import errno
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Unpack

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from mlestar.errors import OperatorError, SettingsError, StopRequested, StoreError, UserError
from mlestar.events import Event
from mlestar.graph import build_graph
from mlestar.interrupt import run_interruptible
from mlestar.models import Passed
from mlestar.nodes.review import answer_key
from mlestar.nodes.submit import export_firsts, hand_in_best
from mlestar.report import Result, write_result
from mlestar.runners import Runner
from mlestar.search import Searches
from mlestar.settings import BUDGET, ReviewPoint, Settings
from mlestar.state import Action, Answer, PipelineInput, PipelineState, RunStatus
from mlestar.store import Ledger, RunFolder, key_of, list_runs, make_run_id, open_checkpoints
from mlestar.task import Task
from mlestar.workbench import Parts, Workbench, close_workbench, open_workbench

FINISHED: tuple[RunStatus, ...] = ("solved", "no_solution")
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
SETTINGS = "settings"
"""Decision to fork at when it is the settings that differ."""
SettingsLike = Settings | Mapping[str, Any] | None
OnEvent = Callable[[Event], None]


class Question(BaseModel):
    """What a run asks a person at a review point."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Name of the decision, e.g. `plan:t0.r1.2`; the same each time it is asked."""
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
    answers: Mapping[str, Answer] | None
    """Answers to the pending questions by their ids; they go before `on_question`."""
    stop: asyncio.Event | None
    """Set it, and the run finishes what it is doing, saves it and raises `StopRequested`."""


def solve(
    task: str | Path | Task,
    *,
    settings: SettingsLike = None,
    run_id: str | None = None,
    fresh: bool = False,
    **live: Unpack[Live],
) -> Result:
    """Solve a task folder; the blocking form of `asolve`. Ctrl-C once finishes what runs and saves, twice stops."""

    async def begin(stop: asyncio.Event) -> Result:
        live["stop"] = stop
        return await asolve(task, settings=settings, run_id=run_id, fresh=fresh, **live)

    return run_interruptible(begin, live.get("on_event"))


async def asolve(
    task: str | Path | Task,
    *,
    settings: SettingsLike = None,
    run_id: str | None = None,
    fresh: bool = False,
    **live: Unpack[Live],
) -> Result:
    """Solve a task folder and return the result; a run that exists is resumed.

    Args:
        task: folder with a task description and data, or a loaded `Task`.
        settings: `Settings` or their values.
        run_id: name of the run folder; made from the task's name and the time when not given.
        fresh: do everything again although the ledger of the run knows it; what it cost stays counted.
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
    if not fresh and (finished := await asyncio.to_thread(_finished, run_folder)):
        return finished
    try:
        async with _opened(chosen, run_id, loaded.folder, _parts(live, loaded)) as bench:
            return await _work(bench, PipelineInput(task=str(loaded.folder), run_id=run_id), live, fresh=fresh)
    except UserError:
        if not existed:
            await asyncio.to_thread(_leave_nothing, run_folder)
        raise


def resume(
    run_id: str,
    *,
    runs_dir: str | Path = "runs",
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
    fresh: bool = False,
    **live: Unpack[Live],
) -> Result:
    """Go on with a run; the blocking form of `aresume`. Ctrl-C once finishes what runs and saves, twice stops."""

    async def begin(stop: asyncio.Event) -> Result:
        live["stop"] = stop
        return await aresume(run_id, runs_dir=runs_dir, task=task, settings=settings, fresh=fresh, **live)

    return run_interruptible(begin, live.get("on_event"))


async def aresume(
    run_id: str,
    *,
    runs_dir: str | Path = "runs",
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
    fresh: bool = False,
    **live: Unpack[Live],
) -> Result:
    """Go on with a run where it stopped, with its own settings; a finished run returns its result.

    Args:
        run_id: name of the run folder.
        runs_dir: folder that holds the run folders.
        task: needed again when the run was started from a `Task` with a metric of its own.
        settings: other caps, or another number of scripts at once, from here on.
        fresh: do everything again although the ledger knows it; what it cost stays counted.
        **live: see `Live`.

    Raises:
        UserError: there is no such run, or it was made by another version.
        OperatorError: the run had to stop again, or another process works on it.
    """
    folder = RunFolder(Path(runs_dir), run_id)
    if not fresh and (finished := await asyncio.to_thread(_finished, folder)):
        return finished
    recorded = await asyncio.to_thread(folder.read_settings)
    given = dict(settings or {})
    if others := sorted(set(given) - set(BUDGET)):
        msg = f"a run keeps its settings: {', '.join(others)} cannot change; `mlestar fork {run_id}` changes them"
        raise SettingsError(msg)
    chosen = Settings.resolve({**recorded.settings, **given, "runs_dir": runs_dir})
    async with _opened(chosen, run_id, None, _parts(live, task)) as bench:
        return await _work(bench, PipelineInput(task=recorded.task, run_id=run_id), live, fresh=fresh)


def fork(
    run_id: str,
    *,
    at: str,
    answer: Answer | None = None,
    settings: Mapping[str, Any] | None = None,
    fork_id: str | None = None,
    runs_dir: str | Path = "runs",
    task: Task | None = None,
    **live: Unpack[Live],
) -> Result:
    """Run again with one decision replaced; the blocking form of `afork`."""

    async def begin(stop: asyncio.Event) -> Result:
        live["stop"] = stop
        return await afork(
            run_id, at=at, answer=answer, settings=settings, fork_id=fork_id, runs_dir=runs_dir, task=task, **live
        )

    return run_interruptible(begin, live.get("on_event"))


async def afork(
    run_id: str,
    *,
    at: str,
    answer: Answer | None = None,
    settings: Mapping[str, Any] | None = None,
    fork_id: str | None = None,
    runs_dir: str | Path = "runs",
    task: Task | None = None,
    **live: Unpack[Live],
) -> Result:
    """Replace one recorded decision of a run and play it again as a run of its own; finished work is free.

    Args:
        run_id: the run to fork.
        at: the decision, e.g. `models:t0`, `ablation:t0.a1`, `block:t0.r1`, `plan:t0.r1.2`, `ensemble:e1`, or
            `settings`.
        answer: what takes the place of the decision, as a person would answer at that review point.
        settings: settings that differ; they may accompany any decision.
        fork_id: name of the new run folder.
        runs_dir: folder that holds the run folders.
        task: needed again when the run was started from a `Task` with a metric of its own.
        **live: see `Live`.

    Raises:
        UserError: there is no such run or no such decision, or nothing takes its place.
        OperatorError: the new run had to stop; it can be resumed by its own name.
    """
    source = RunFolder(Path(runs_dir), run_id)
    recorded = await asyncio.to_thread(source.read_settings)
    chosen = Settings.resolve({**recorded.settings, **(settings or {}), "runs_dir": runs_dir})
    target = await asyncio.to_thread(_fork_folder, source, fork_id)
    try:
        await asyncio.to_thread(_branch, source, target, chosen, at, answer)
    except UserError:
        await asyncio.to_thread(_leave_nothing, target)
        raise
    async with _opened(chosen, target.run_id, None, _parts(live, task)) as bench:
        return await _work(bench, PipelineInput(task=recorded.task, run_id=target.run_id), live)


def prune(runs_dir: str | Path = "runs") -> dict[str, int]:
    """Reduce every finished run to its result and its scripts; return the bytes that were freed by run id.

    A run that is not finished, or in use, is left as it is. What is pruned cannot be forked.
    """
    freed = {}
    for path in list_runs(Path(runs_dir)):
        folder = RunFolder(Path(runs_dir), path.name)
        if result := _finished(folder):
            scripts = {folder.path / row.script for row in result.solutions if row.script}
            with contextlib.suppress(StoreError), folder.lock():
                freed[path.name] = folder.prune(scripts)
    return freed


def _finished(folder: RunFolder) -> Result | None:
    """Return the result of a run that has come to its end."""
    if not folder.result.is_file():
        return None
    result = Result.read(folder.result)
    return result if result.status in FINISHED else None


def _fork_folder(source: RunFolder, fork_id: str | None) -> RunFolder:
    runs_dir = source.path.parent
    names = [fork_id] if fork_id else [f"{source.run_id}-fork{number}" for number in range(1, 1000)]
    for name in names:
        folder = RunFolder(runs_dir, name)
        if not folder.path.exists():
            folder.create()
            return folder
    msg = f"run {names[0]} exists: choose another name for the fork"
    raise UserError(msg)


def _branch(source: RunFolder, target: RunFolder, settings: Settings, at: str, answer: Answer | None) -> None:
    """Give a new run the finished work of another one, and the decision that differs."""
    with source.lock():
        known = Ledger(source.ledger)
        decisions = [fact["id"] for fact in known.notes("decided")]
        known.close()
        if at != SETTINGS and at not in decisions:
            msg = f"run {source.run_id} has no decision {at!r}: choose one of {', '.join([SETTINGS, *decisions])}"
            raise UserError(msg)
        if at != SETTINGS and answer is None:
            msg = f"say what takes the place of {at}: a text, a card or an action"
            raise UserError(msg)
        target.record_settings(
            Path(source.read_settings().task), settings.model_dump(mode="json"), forked_from=source.run_id
        )
        target.share_blobs(source)
        ledger = Ledger(target.ledger)
        ledger.inherit(source.ledger)
        if answer is not None:
            ledger.note(key_of("decision", at), "decision", answer.model_dump(mode="json"))
        ledger.close()


def _load(folder: Path, settings: Settings) -> Task:
    return Task.load(folder.expanduser().absolute(), goal=settings.goal, metric=settings.metric)


@asynccontextmanager
async def _opened(settings: Settings, run_id: str, task: Path | None, parts: Parts) -> AsyncIterator[Workbench]:
    """Open a run's workbench; a disk that fails anywhere in the session is a stop."""
    try:
        bench = await open_workbench(settings, run_id, task, parts)
        try:
            yield bench
        finally:
            await close_workbench(bench)
    except Exception as error:
        stop = _as_stop(error, RunFolder(settings.runs_dir, run_id))
        if stop is error:
            raise
        raise stop from error


async def _work(bench: Workbench, start: PipelineInput, live: Live, *, fresh: bool = False) -> Result:
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
                questions = {i.id: Question.model_validate(_split_question(i.value)) for i in after.interrupts}
                answers = await _answer(bench, questions, live)
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


async def _answer(bench: Workbench, questions: Mapping[str, Question], live: Live) -> dict[str, Any]:
    """Return the answers there are, by the ids that the graph gave the questions; an answer is given once."""
    given, ask = live.get("answers") or {}, live.get("on_question")
    answers: dict[str, Any] = {}
    for key, question in questions.items():
        again = "problem" in question.proposal
        said = await asyncio.to_thread(bench.ledger.recall, answer_key(question.id, question.proposal))
        if question.id in given and not again:
            answers[key] = given[question.id].model_dump()
        elif said is not None and not again:
            answers[key] = said
        elif ask is not None:
            answers[key] = (await asyncio.to_thread(ask, question)).model_dump()
    return answers


async def _pause(bench: Workbench, reached: PipelineState, questions: list[Question]) -> Result:
    """Leave the questions in `questions.json`, each with an answer that can be edited, and return what was reached."""
    asked = [{**question.model_dump(mode="json"), "answer": Answer().model_dump()} for question in questions]
    await asyncio.to_thread(bench.folder.write_json, bench.folder.questions, asked)
    ids = ", ".join(question.id for question in questions)
    return await write_result(bench, reached, message=f"asked about: {ids}; see {bench.folder.questions.name}")


def read_answers(path: Path) -> dict[str, Answer]:
    """Return the answers of a file: a copy of `questions.json` with its answers edited, or an object of answers by id.

    Raises:
        UserError: the file cannot be read or is neither.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        pairs = found.items() if isinstance(found, dict) else [(asked["id"], asked["answer"]) for asked in found]
        return {identity: Answer.model_validate(said) for identity, said in pairs}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"answers {path}: {str(error).splitlines()[0]}; edit a copy of questions.json in the run folder"
        raise UserError(msg) from error


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


def _split_question(value: Mapping[str, Any]) -> dict[str, Any]:
    asked = ("id", "point", "actions")
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
