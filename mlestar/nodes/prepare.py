"""Prepare: read the task, decide which rows are withheld, and write the brief that every agent is given."""

import asyncio
import time
from pathlib import Path

from langgraph.runtime import Runtime
from langgraph.types import Send

from mlestar.agents.analyst import ask_for_spec
from mlestar.agents.context import ReplyError
from mlestar.agents.sharing import limit_statistics
from mlestar.data.examples import write_example, write_task
from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError, UserError
from mlestar.evaluation import Division, infer_split
from mlestar.evaluation.holdout.answers import describe_answers, find_answers
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.revealing import describe_left_out, vouched_lines, without_files, without_revealing
from mlestar.nodes.lessons import read_lessons
from mlestar.nodes.progress import emit
from mlestar.nodes.start import describe_metric, find_start
from mlestar.runners import Installer
from mlestar.runtime.brief import draft_brief
from mlestar.runtime.context import RunContext, open_context
from mlestar.runtime.supply import describe_supply
from mlestar.settings import Settings
from mlestar.state import Brief, PipelineInput, PipelineState, TrackState
from mlestar.store import RunFolder, claim_run_id, key_of


async def prepare(state: PipelineInput, runtime: Runtime[Settings]) -> PipelineState:
    """Read the task, stage its holdout and store the brief."""
    start = time.monotonic()
    settings = Settings.of(runtime.context)
    run_id, folder = await asyncio.to_thread(_find_task, state, settings)
    ctx = await open_context(settings, run_id, folder)
    emit(runtime, "prepare", f"run {run_id} in {ctx.folder.path}")
    own = await find_start(ctx)
    if own is not None:
        emit(runtime, "prepare", "; ".join([f"starts from {own.name}", *own.notes]))
    models = ctx.services.caller.models
    emit(runtime, "prepare", f"model {models.title}: {models.default.why}")
    emit(runtime, "prepare", f"retrieval {ctx.services.retrieval.title}")
    unless_stopped = ctx.services.budget.unless_stopped
    task = await unless_stopped(ctx.inputs.task())
    for warning in task.warnings:
        emit(runtime, "prepare", warning)
    split, fallback = await unless_stopped(_plan_split(task))
    for line in await unless_stopped(asyncio.to_thread(describe_left_out, task)):
        emit(runtime, "prepare", line)
    division: Division | None = None
    if split:
        try:
            division = await unless_stopped(ctx.inputs.divide(split, settings.seed, settings.fresh_share))
        except HoldoutError as error:
            split, fallback = None, str(error)
    task = await unless_stopped(asyncio.to_thread(_without_withheld_rows, task, division))
    answers = await unless_stopped(asyncio.to_thread(find_answers, task))
    if answers:
        emit(runtime, "prepare", describe_answers(answers))
        task = without_files(task, answers)
    brief = await unless_stopped(_stage_holdout(ctx, await _draft_brief(ctx, task, split, fallback)))
    if division and brief.split:
        shown = await unless_stopped(_as_staged(ctx, brief, task, division))
        brief = brief.model_copy(update={"spec": shown.spec, "statistics": shown.statistics})
    brief = brief.model_copy(update={"statistics": limit_statistics(brief.statistics, settings.share)})
    brief = brief.model_copy(update={"spec": await _complete_spec(ctx, brief)})
    if own is not None and (difference := describe_metric(own, brief.spec.metric)):
        own = own.model_copy(update={"notes": (*own.notes, difference)})
        emit(runtime, "prepare", f"{own.name}: {difference}")
    brief = brief.model_copy(update={"start": own})
    brief = brief.model_copy(update={"lessons": await read_lessons(ctx, brief, runtime)})
    _emit_holdout(runtime, brief, division, time.monotonic() - start)
    written: PipelineState = {"train_csv": "", "test_csv": "", "description": ""}
    blob = await ctx.services.keep(brief.model_dump_json())
    await asyncio.to_thread(ctx.services.ledger.note, "brief", key_of("brief"), {"blob": blob}, replace=True)
    return {"run_id": run_id, "brief": blob, "exports": [], **written}


async def prepare_track(state: PipelineInput, runtime: Runtime[Settings]) -> TrackState:
    """Prepare a run of one track by itself."""
    prepared = await prepare(state, runtime)
    keys: TrackState = {"run_id": prepared["run_id"], "brief": prepared["brief"], "track": 0}
    return {**keys, "train_csv": "", "test_csv": "", "description": ""}


def each_track(state: PipelineState, runtime: Runtime[Settings]) -> list[Send]:
    """Start the L tracks."""
    keys = {"run_id": state["run_id"], "brief": state["brief"]}
    return [Send("run_track", {**keys, "track": track}) for track in range(Settings.of(runtime.context).tracks)]


def _find_task(state: PipelineInput, settings: Settings) -> tuple[str, Path]:
    """Return the run's id and its task folder, written into the run folder when the input is not a folder.

    Raises:
        UserError: the input is not exactly one of folder, example and tables, or the folder cannot be written.
    """
    sources = [bool(state.task), bool(state.example), bool(state.train_csv or state.test_csv)]
    if sum(sources) != 1 or bool(state.train_csv) != bool(state.test_csv):
        msg = "give a task folder, or a built-in example, or a train and a test table as CSV text"
        raise UserError(msg)
    name = Path(state.task).name or state.example or "table"
    run_id = state.run_id or claim_run_id(settings.runs_dir, name)
    if state.task:
        return run_id, Path(state.task).expanduser().absolute()
    folder = RunFolder(settings.runs_dir, run_id).path / "task" / name
    if state.example:
        return run_id, write_example(state.example, folder)
    tables = {"train": state.train_csv, "test": state.test_csv}
    return run_id, write_task(folder, state.description, tables)


async def _plan_split(task: Task) -> tuple[SplitPlan | None, str]:
    if not task.labelled:
        return None, "the labels cannot be located in the files"
    try:
        return await asyncio.to_thread(infer_split, task), ""
    except HoldoutError as error:
        return None, str(error)


def _without_withheld_rows(task: Task, division: Division | None) -> Task:
    """Return the task without what comes from rows withheld during the search or kept apart, or is not staged."""
    if division is None:
        return without_revealing(task, None)
    apart = 0 if division.apart is None else len(division.apart.withheld)
    kept = division.search.train
    return without_revealing(task.showing(kept, apart=apart), kept)


async def _as_staged(ctx: RunContext, brief: Brief, task: Task, division: Division) -> Task:
    """Return the task as agents may see it: files besides train and test are as scripts of the search read them."""
    staged = await ctx.inputs.search(brief)
    return await asyncio.to_thread(task.showing_staged, staged.path, division.search.train)


async def _stage_holdout(ctx: RunContext, brief: Brief) -> Brief:
    """Stage the input of the search; without an honest holdout it is the real one."""
    try:
        await ctx.inputs.search(brief)
    except HoldoutError as error:
        brief = brief.model_copy(update={"split": None, "fallback": str(error)})
        await ctx.inputs.search(brief)
    await ctx.grading.load_metric(await ctx.inputs.search(brief))
    return brief


async def _draft_brief(ctx: RunContext, task: Task, split: SplitPlan | None, fallback: str) -> Brief:
    environment = await ctx.executor.environment()
    # Where a runner does not know what is installed, scripts start whatever they declare.
    installs = not environment.distributions or isinstance(await ctx.executor.runner(), Installer)
    supply = await describe_supply(ctx.settings, environment, ctx.services.ledger, installs=installs)
    brief = await draft_brief(ctx, task, split)
    return brief.model_copy(update={"fallback": fallback, "warnings": vouched_lines(task), "supply": supply})


async def _complete_spec(ctx: RunContext, brief: Brief) -> TaskSpec:
    """Return the spec as the analyst completes it; fields that a person set stay, a failed analysis changes none."""
    settled = set((await ctx.inputs.task()).settled)
    if ctx.settings.metric:
        settled |= {"metric", "direction"}
    try:
        return await ask_for_spec(ctx.services.agent(brief), frozenset(settled))
    except ReplyError:
        return brief.spec


def _emit_holdout(runtime: Runtime[Settings], brief: Brief, division: Division | None, seconds: float) -> None:
    spec, split = brief.spec, brief.split
    emit(runtime, "prepare", f"read, analysed and staged in {seconds:.0f} s")
    emit(runtime, "prepare", f"{spec.name}: {spec.problem} on {spec.modality}, {spec.metric} to be {spec.direction}d")
    if split is None:
        emit(runtime, "prepare", f"NO HOLDOUT: {brief.fallback}; scores are what scripts report about themselves")
        return
    column = f" by {split.by}" if split.by else ""
    emit(runtime, "prepare", f"holdout: {split.kind}{column}, {split.fraction:.0%} of the train rows withheld")
    if division:
        emit(runtime, "prepare", division.note)
