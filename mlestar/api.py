"""The public API: solve a task, resume a run, fork it, prune runs."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Coroutine, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Unpack

from mlestar.data.outputs import remove_empty_runs_folder
from mlestar.data.task import Task
from mlestar.errors import SettingsError, StoreError, UserError
from mlestar.events import Event
from mlestar.nodes.review import replacement_key
from mlestar.report import FINISHED, Result, read_result
from mlestar.runtime.context import RunContext, load_task
from mlestar.runtime.interrupt import run_interruptible
from mlestar.runtime.options import RunOptions
from mlestar.runtime.stopping import unless_stopped
from mlestar.session import open_session, run_session
from mlestar.session.keywords import RunKeywords, SolveKeywords, split_keywords
from mlestar.session.notebook import show_in_notebook
from mlestar.session.same_run import check_same_data, check_task_exists, keep_model, read_task_contents, record_contents
from mlestar.session.source import find_source, open_source
from mlestar.settings import BUDGET, Settings
from mlestar.settings.sources import choose_runs_dir, choose_settings
from mlestar.state import Answer, PipelineInput
from mlestar.store import Ledger, RunFolder, claim_run_id, list_runs
from mlestar.store.content import Contents, load_contents

SETTINGS = "settings"
"""Name of the decision to fork at when only settings differ."""
SettingsLike = Settings | Mapping[str, Any] | None


def solve(
    task: str | Path | Task | None = None,
    *,
    train: Any = None,
    test: Any = None,
    sample: Any = None,
    description: str | None = None,
    settings: SettingsLike = None,
    run_id: str | None = None,
    fresh: bool = False,
    **keywords: Unpack[SolveKeywords],
) -> Result:
    """Solve a task; the blocking variant of `asolve`. Ctrl-C once finishes what runs and saves, twice stops."""
    return _block(
        lambda live: asolve(
            task,
            train=train,
            test=test,
            sample=sample,
            description=description,
            settings=settings,
            run_id=run_id,
            fresh=fresh,
            **live,
        ),
        keywords,
    )


async def asolve(
    task: str | Path | Task | None = None,
    *,
    train: Any = None,
    test: Any = None,
    sample: Any = None,
    description: str | None = None,
    settings: SettingsLike = None,
    run_id: str | None = None,
    fresh: bool = False,
    **keywords: Unpack[SolveKeywords],
) -> Result:
    """Solve a task and return the result; a run that exists is resumed.

    Args:
        task: folder with a task description and data, the file of one labelled table, or a loaded `Task`.
        train: in place of `task`, the labelled rows: a pandas or polars frame, or the path of a file. An index without
            a name is left out, a named one is a column.
        test: rows to predict, as a frame or a file. If it has the target, that column is left out.
        sample: a sample submission, as a frame or a file.
        description: of a task that is given as frames or a file, in your words.
        settings: `Settings`, which are complete; or values, which take precedence over the environment and
            `mlestar.toml`.
        run_id: name of the run folder; by default made from the task's name and the time.
        fresh: do everything again, whatever the run's ledger holds; what it cost stays counted.
        **keywords: settings, which take precedence over `settings`, and what `RunOptions` describes.

    Raises:
        UserError: the task, a setting or the environment cannot be used, or the run exists for another task, other
            data or other settings; nothing is left behind.
        OperatorError: the run had to stop; its state is saved and `resume` continues from there.
    """
    values, options = split_keywords(keywords, signature(asolve).parameters)
    chosen = await asyncio.to_thread(choose_settings, settings, values)
    source = find_source(task, train=train, test=test, sample=sample, description=description)
    folder, existed = await asyncio.to_thread(_run_folder, chosen.runs_dir, run_id, source.name)
    stop = options.get("stop")
    try:
        opened = await unless_stopped(stop, asyncio.to_thread(open_source, source, folder, chosen))
        if not fresh and (finished := await asyncio.to_thread(_finished, folder)):
            return _repeat(finished, options)
        chosen = await asyncio.to_thread(keep_model, folder, chosen)
        task = source.task or await unless_stopped(
            stop, asyncio.to_thread(load_task, opened.folder, chosen, folder.prepared)
        )
        async with open_session(chosen, folder.run_id, opened.folder, options, task=task) as ctx:
            await asyncio.to_thread(_record, ctx, opened.contents, options)
            start = PipelineInput(task=str(opened.folder), run_id=folder.run_id)
            return await run_session(ctx, start, options, fresh=fresh)
    except BaseException as error:
        unusable = isinstance(error, UserError) or not folder.settings.is_file()
        if unusable and not existed:
            await asyncio.to_thread(_remove_folder, folder)
        raise


def resume(
    run_id: str,
    *,
    runs_dir: str | Path | None = None,
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
    fresh: bool = False,
    **keywords: Unpack[RunKeywords],
) -> Result:
    """Resume a run; the blocking variant of `aresume`. Ctrl-C once finishes what runs and saves, twice stops."""
    return _block(
        lambda live: aresume(run_id, runs_dir=runs_dir, task=task, settings=settings, fresh=fresh, **live),
        keywords,
    )


async def aresume(
    run_id: str,
    *,
    runs_dir: str | Path | None = None,
    task: Task | None = None,
    settings: Mapping[str, Any] | None = None,
    fresh: bool = False,
    **keywords: Unpack[RunKeywords],
) -> Result:
    """Resume a run where it stopped, with its own settings; a finished run returns its result.

    Args:
        run_id: name of the run folder.
        runs_dir: folder that holds the run folders; by default that of the environment or `mlestar.toml`.
        task: needed again when the run was started from a `Task` with a metric of its own.
        settings: other caps, another number of scripts at once, or other trackers, from here on.
        fresh: do everything again, whatever the run's ledger holds; what it cost stays counted.
        **keywords: settings, which take precedence over `settings`, and what `RunOptions` describes.

    Raises:
        UserError: there is no such run, or its format is of another version.
        OperatorError: the run had to stop again, or another process works on it.
    """
    values, options = split_keywords(keywords, signature(aresume).parameters)
    folder = RunFolder(await asyncio.to_thread(choose_runs_dir, runs_dir), run_id)
    if not fresh and (finished := await asyncio.to_thread(_finished, folder)):
        return _repeat(finished, options)
    chosen = await asyncio.to_thread(resumed_settings, folder, {**(settings or {}), **values})
    recorded = await asyncio.to_thread(folder.read_settings)
    await unless_stopped(options.get("stop"), asyncio.to_thread(_check_data, folder, Path(recorded.task), chosen))
    chosen = await asyncio.to_thread(keep_model, folder, chosen)
    async with open_session(chosen, run_id, None, options, task=task) as ctx:
        return await run_session(ctx, PipelineInput(task=recorded.task, run_id=run_id), options, fresh=fresh)


def fork(
    run_id: str,
    *,
    at: str,
    answer: Answer | None = None,
    settings: Mapping[str, Any] | None = None,
    fork_id: str | None = None,
    runs_dir: str | Path | None = None,
    task: Task | None = None,
    **keywords: Unpack[RunKeywords],
) -> Result:
    """Run again with one decision replaced; the blocking variant of `afork`."""
    return _block(
        lambda live: afork(
            run_id, at=at, answer=answer, settings=settings, fork_id=fork_id, runs_dir=runs_dir, task=task, **live
        ),
        keywords,
    )


async def afork(
    run_id: str,
    *,
    at: str,
    answer: Answer | None = None,
    settings: Mapping[str, Any] | None = None,
    fork_id: str | None = None,
    runs_dir: str | Path | None = None,
    task: Task | None = None,
    **keywords: Unpack[RunKeywords],
) -> Result:
    """Replace one recorded decision of a run and re-run it as a new run; finished work is free.

    Args:
        run_id: the run to fork.
        at: the decision, e.g. `models:t0`, `ablation:t0.a1`, `block:t0.r1`, `plan:t0.r1.2`, `ensemble:e1`, or
            `settings`.
        answer: replaces the decision, as a person's answer at that review point would.
        settings: settings that differ, with any decision.
        fork_id: name of the new run folder.
        runs_dir: folder that holds the run folders; by default that of the environment or `mlestar.toml`.
        task: needed again when the run was started from a `Task` with a metric of its own.
        **keywords: settings, which take precedence over `settings`, and what `RunOptions` describes.

    Raises:
        UserError: there is no such run or no such decision, or nothing replaces it.
        OperatorError: the new run had to stop; it can be resumed by its own name.
    """
    values, options = split_keywords(keywords, signature(afork).parameters)
    source = RunFolder(await asyncio.to_thread(choose_runs_dir, runs_dir), run_id)
    recorded = await asyncio.to_thread(source.read_settings)
    changes = {**(settings or {}), **values, "runs_dir": source.path.parent}
    chosen = await asyncio.to_thread(keep_model, source, Settings.resolve(recorded.settings).change(changes))
    target = await asyncio.to_thread(_fork_folder, source, fork_id)
    try:
        await asyncio.to_thread(_branch, source, target, chosen, at, answer)
        same_start = chosen.start == Settings.resolve(recorded.settings).start
        kept = await asyncio.to_thread(load_contents, source.contents) if same_start else None
        contents = await asyncio.to_thread(read_task_contents, target, Path(recorded.task), chosen, kept)
        async with open_session(chosen, target.run_id, None, options, task=task) as ctx:
            await asyncio.to_thread(_record, ctx, contents, options)
            return await run_session(ctx, PipelineInput(task=recorded.task, run_id=target.run_id), options)
    except UserError:
        await asyncio.to_thread(_remove_folder, target)
        raise


def prune(runs_dir: str | Path | None = None) -> dict[str, int]:
    """Reduce every finished run to its result and its scripts; return the bytes that were freed by run id.

    A run that is not finished, in use, or made by another version is left as it is. What is pruned cannot be forked.
    """
    freed = {}
    runs_dir = choose_runs_dir(runs_dir)
    for path in list_runs(runs_dir):
        folder = RunFolder(runs_dir, path.name)
        with contextlib.suppress(UserError, StoreError):
            result = _finished(folder)
            if result is None:
                continue
            kept = {folder.path / row.script for row in result.solutions if row.script}
            examples = result.examples.rows if result.examples else ()
            blobs = [result.brief, *(row.media for row in examples)]
            kept |= {folder.blobs / blob[:2] / blob[2:] for blob in blobs if blob}
            with folder.lock():
                freed[path.name] = folder.prune(kept)
    return freed


def _block(begin: Callable[[Any], Coroutine[Any, Any, Result]], keywords: Mapping[str, Any]) -> Result:
    """Run an async variant to its end, with progress in a notebook; Ctrl-C sets its `stop`."""
    with show_in_notebook(keywords) as live:

        def begin_with(stop: asyncio.Event) -> Coroutine[Any, Any, Result]:
            return begin({**live, "stop": stop})

        on_event = live.get("on_event")
        return run_interruptible(begin_with, on_event if callable(on_event) else None)


def _run_folder(runs_dir: Path, run_id: str | None, name: str) -> tuple[RunFolder, bool]:
    """Return the folder of a run and whether it existed; without an id a new one is made, which no other call gets."""
    if run_id is None:
        return RunFolder(runs_dir, claim_run_id(runs_dir, name)), False
    folder = RunFolder(runs_dir, run_id)
    return folder, folder.path.exists()


def _check_data(folder: RunFolder, task: Path, settings: Settings) -> None:
    """Refuse to resume a run whose task folder is gone or holds other data."""
    check_task_exists(folder, task)
    if folder.contents.is_file():
        check_same_data(folder, read_task_contents(folder, task, settings, load_contents(folder.contents)))


def _record(ctx: RunContext, contents: Contents, options: RunOptions) -> None:
    """Keep what a later call under the same run id is compared with."""
    record_contents(ctx.folder, contents)
    if ctx.settings.model is None and not ctx.settings.models and options.get("model") is None:
        ctx.folder.record_model(ctx.services.caller.models.default.name)


def _repeat(result: Result, options: RunOptions) -> Result:
    """Return the result of a run that has ended before, and tell that nothing was done."""
    on_event = options.get("on_event")
    if on_event is not None:
        status = "" if result.status == "solved" else f" ({result.status.replace('_', ' ')})"
        on_event(Event(stage="resume", message=f"run {result.run_id} is finished{status}; its result:"))
    return result


def _finished(folder: RunFolder) -> Result | None:
    """Return the result of a run that has ended."""
    if not folder.result.is_file():
        return None
    result = read_result(folder)
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
    """Copy the finished work of a run to a new one, and record the decision that differs."""
    with source.lock():
        source.check_forkable()
        source_ledger = Ledger(source.ledger)
        decisions = [fact["id"] for fact in source_ledger.notes("decision")]
        source_ledger.close()
        if at != SETTINGS and at not in decisions:
            msg = f"run {source.run_id} has no decision {at!r}: choose one of {', '.join([SETTINGS, *decisions])}"
            raise UserError(msg)
        if at != SETTINGS and answer is None:
            msg = f"{at} needs a replacement: a text, a card or an action"
            raise UserError(msg)
        target.record_settings(
            Path(source.read_settings().task), settings.model_dump(mode="json"), forked_from=source.run_id
        )
        target.share_blobs(source)
        ledger = Ledger(target.ledger)
        ledger.inherit(source.ledger)
        if answer is not None:
            ledger.note("replacement", replacement_key(at), answer.model_dump(mode="json"))
        ledger.close()


def resumed_settings(folder: RunFolder, changes: Mapping[str, Any]) -> Settings:
    """Return the settings of a run that is resumed with other caps.

    Raises:
        UserError: there is no such run, or a setting cannot change.
    """
    recorded = folder.read_settings()
    chosen = Settings.resolve({**recorded.settings, **changes, "runs_dir": folder.path.parent})
    if fixed := sorted(set(changes) - {*BUDGET, "trackers"}):
        msg = f"a run keeps its settings: {', '.join(fixed)} cannot change; `mlestar fork {folder.run_id}` changes them"
        raise SettingsError(msg)
    return chosen


def _remove_folder(folder: RunFolder) -> None:
    """Remove the run folder that this call made, and the runs folder when it is empty."""
    shutil.rmtree(folder.path, ignore_errors=True)
    remove_empty_runs_folder(folder.path.parent)
