"""Baselines: the best constant and a simple model, graded on the same rows as the finalists, without a model call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from langgraph.runtime import Runtime

from mlestar.baselines import (
    NoBaselineError,
    find_constant,
    find_final_constant,
    read_choice,
    write_constant,
    write_constant_script,
    write_simple_model,
)
from mlestar.errors import StopRequested, StoreError, clean_text
from mlestar.evaluation import Grader
from mlestar.metrics.precision import format_score
from mlestar.nodes.finalists import error_of_mean
from mlestar.nodes.grading import grade_execution
from mlestar.nodes.order import CONSTANT, SIMPLE
from mlestar.nodes.progress import emit
from mlestar.nodes.rescore import combine_verdicts
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.grading import MESSAGE_CHARACTERS
from mlestar.runtime.inputs import StagedInput
from mlestar.settings import Settings
from mlestar.state import (
    BASELINE,
    NO_TRACK,
    Baseline,
    Brief,
    PipelineState,
    Rescoring,
    Solution,
    Verdict,
    VerdictStatus,
)

logger = logging.getLogger("mlestar.nodes")

REFUSED = "the budget allows no further execution"


class Graded(NamedTuple):
    """A baseline with what the order of export needs of it."""

    baseline: Baseline
    solution: Solution | None = None
    """None where it cannot be submitted."""
    rescoring: Rescoring | None = None
    """None where there are no fresh rows."""


async def add_baselines(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Grade a constant and a simple model on the holdout and on the fresh rows; a failure changes nothing else."""
    ctx = await find_context(state, runtime)
    if not ctx.settings.baselines:
        return {}
    brief = await ctx.brief(state)
    constant = await _attempt(ctx, CONSTANT, lambda: _make_constant(ctx, brief))
    simple = await _attempt(ctx, SIMPLE, lambda: _make_simple(ctx, brief))
    for graded in (constant, simple):
        emit(runtime, "baselines", _describe(graded.baseline))
    solutions = [graded.solution for graded in (simple, constant) if graded.solution]
    rescorings = [graded.rescoring for graded in (simple, constant) if graded.solution and graded.rescoring]
    return {
        "baselines": {graded.baseline.name: graded.baseline for graded in (constant, simple)},
        "solutions": {solution.id: solution for solution in solutions},
        "rescorings": {rescoring.solution: rescoring for rescoring in rescorings},
    }


async def _attempt(ctx: RunContext, name: str, make: Callable[[], Awaitable[Graded]]) -> Graded:
    try:
        return await make()
    except (StopRequested, StoreError):
        raise
    except NoBaselineError as reason:
        message = str(reason)
    except Exception as error:  # a baseline that fails must not end the run
        logger.warning("run %s: no baseline %r", ctx.folder.run_id, name, exc_info=True)
        message = f"it failed: {type(error).__name__}: {error}"
    return Graded(Baseline(name=name, message=clean_text(message)[:MESSAGE_CHARACTERS]))


async def _make_constant(ctx: RunContext, brief: Brief) -> Graded:
    searched, *fresh = await _inputs(ctx, brief)
    graded = [await _grade_constant(ctx, staged) for staged in (searched, *fresh)]
    ways = dict.fromkeys(how for how, _ in graded)
    verdicts = [verdict for _, verdict in graded]
    baseline = _summarize(CONSTANT, " or ".join(ways), verdicts, blind=_is_blind(fresh))
    try:
        text = await asyncio.to_thread(_write_constant_script, searched)
    except NoBaselineError as reason:
        logger.info("run %s: the constant is not submitted: %s", ctx.folder.run_id, reason)
        return Graded(baseline)
    return _as_solution(baseline, await ctx.services.keep(text), verdicts)


async def _grade_constant(ctx: RunContext, staged: StagedInput) -> tuple[str, Verdict]:
    """Return which constant is the best on the training labels of an input, and its grade on the withheld rows."""
    lenient = staged.accepting_sample()
    how, text = await asyncio.to_thread(_write_constant, lenient)
    blob = await ctx.services.keep(text)
    grade = await ctx.grading.grade(lenient, ctx.services.blobs.path(blob))
    scores = {"holdout": grade.score, "holdout_se": grade.standard_error}
    status: VerdictStatus = "invalid" if grade.score is None else "ok"
    return how, Verdict(status=status, message=grade.problem, submission=blob, **scores)


def _write_constant(staged: StagedInput) -> tuple[str, str]:
    grader = _grader(staged)
    constant = find_constant(grader.task, grader.form.metric, grader.holdout)
    return constant.how, write_constant(grader.form, constant)


def _write_constant_script(staged: StagedInput) -> str:
    grader = _grader(staged)
    return write_constant_script(grader.task.spec, find_final_constant(grader.task, grader.form.metric))


async def _make_simple(ctx: RunContext, brief: Brief) -> Graded:
    searched, *fresh = await _inputs(ctx, brief)
    model = write_simple_model(brief.spec, brief.statistics, searched.form.metric, seed=brief.seed)
    script = await ctx.services.keep(model.script)
    verdicts = await asyncio.gather(*(_run_simple(ctx, brief, script, staged) for staged in (searched, *fresh)))
    outputs = [await ctx.services.text(verdict.output) for verdict in verdicts if verdict.output]
    choice = read_choice("\n".join(outputs)) or "linear model or gradient boosting"
    baseline = _summarize(SIMPLE, f"{choice} on {model.columns}", verdicts, blind=_is_blind(fresh))
    update = {"script": script, "seconds": sum(verdict.seconds for verdict in verdicts)}
    return _as_solution(baseline.model_copy(update=update), script, verdicts)


def _as_solution(baseline: Baseline, script: str, verdicts: Sequence[Verdict]) -> Graded:
    """Return a baseline as a solution that can be exported; without a score on the holdout it is none."""
    searched, *fresh = verdicts
    if searched.holdout is None:
        return Graded(baseline)
    title = f"baseline: {baseline.how}"
    solution = Solution(id=baseline.name, origin=BASELINE, track=NO_TRACK, title=title, script=script, verdict=searched)
    if not fresh:
        return Graded(baseline, solution)
    rescoring = combine_verdicts(solution, fresh).model_copy(update={"blind": baseline.blind})
    refused = any(verdict.status == "refused" for verdict in fresh)
    return Graded(baseline, solution, rescoring.model_copy(update={"failed": rescoring.failed and not refused}))


async def _run_simple(ctx: RunContext, brief: Brief, script: str, staged: StagedInput) -> Verdict:
    """Run the simple model on an input; the budget keeps room for the exports that follow."""
    try:
        execution = await ctx.executor.execute(script, staged, stage="baseline", label=f"{SIMPLE}-{staged.name}")
    except Refusal:
        return Verdict(status="refused", message=REFUSED)
    return await grade_execution(ctx, brief, execution, staged, counted=False)


async def _inputs(ctx: RunContext, brief: Brief) -> tuple[StagedInput, ...]:
    """Return the input of the search, then those of the fresh rows.

    Raises:
        NoBaselineError: no rows are withheld.
    """
    searched = await ctx.inputs.search(brief)
    if searched.grader is None:
        msg = "no rows are withheld"
        raise NoBaselineError(msg)
    return searched, *await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)


def _grader(staged: StagedInput) -> Grader:
    if staged.grader is None:
        msg = "no rows are withheld"
        raise NoBaselineError(msg)
    return staged.grader


def _is_blind(fresh: Sequence[StagedInput]) -> bool:
    return bool(fresh) and all(staged.blind for staged in fresh)


def _summarize(name: str, how: str, verdicts: Sequence[Verdict], *, blind: bool) -> Baseline:
    """Return a baseline from its verdict on the holdout, which comes first, and those on the fresh rows."""
    searched, *others = verdicts
    failed = [verdict.message for verdict in verdicts if verdict.holdout is None]
    scores = [verdict.holdout for verdict in others if verdict.holdout is not None]
    complete = bool(scores) and len(scores) == len(others)
    errors = [verdict.holdout_se or 0.0 for verdict in others]
    return Baseline(
        name=name,
        how=how,
        holdout=searched.holdout,
        holdout_se=searched.holdout_se,
        fresh=sum(scores) / len(scores) if complete else None,
        fresh_se=error_of_mean(scores, errors) if complete else None,
        blind=blind and complete,
        message=clean_text("; ".join(dict.fromkeys(failed)))[:MESSAGE_CHARACTERS],
    )


def _describe(baseline: Baseline) -> str:
    """Return one line of progress."""
    scores = {"fresh": (baseline.fresh, baseline.fresh_se), "holdout": (baseline.holdout, baseline.holdout_se)}
    shown = [f"{name} {format_score(*score)}" for name, score in scores.items() if score[0] is not None]
    return f"{baseline.name}: " + ", ".join(filter(None, [*shown, baseline.how, baseline.message]))
