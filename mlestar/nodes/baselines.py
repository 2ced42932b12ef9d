"""Baselines: the best constant and a simple model, graded on the same rows as the winner, without a model call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from langgraph.runtime import Runtime

from mlestar.baselines import NoBaselineError, find_constant, read_choice, write_constant, write_simple_model
from mlestar.errors import StopRequested, StoreError, clean_text
from mlestar.evaluation import Comparison, Grader
from mlestar.metrics.precision import format_score
from mlestar.nodes.grading import MESSAGE_CHARACTERS, compare_submissions, grade_execution
from mlestar.nodes.progress import emit
from mlestar.nodes.rescore import error_of_mean
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.inputs import StagedInput
from mlestar.settings import Settings
from mlestar.state import Baseline, Brief, PipelineState, Verdict

logger = logging.getLogger("mlestar.nodes")

REFUSED = "the budget allows no further execution"


async def add_baselines(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Grade a constant and a simple model on the holdout and on the fresh rows; a failure changes nothing else."""
    ctx = await find_context(state, runtime)
    if not ctx.settings.baselines:
        return {}
    brief = await ctx.brief(state)
    constant = await _attempt(ctx, "constant", lambda: _make_constant(ctx, brief))
    simple = await _attempt(ctx, "simple", lambda: _make_simple(ctx, brief, state))
    for baseline in (constant, simple):
        emit(runtime, "baselines", _describe(baseline))
    return {"baselines": {baseline.name: baseline for baseline in (constant, simple)}}


async def _attempt(ctx: RunContext, name: str, make: Callable[[], Awaitable[Baseline]]) -> Baseline:
    try:
        return await make()
    except (StopRequested, StoreError):
        raise
    except NoBaselineError as reason:
        message = str(reason)
    except Exception as error:  # a baseline that fails must not end the run
        logger.warning("run %s: no baseline %r", ctx.folder.run_id, name, exc_info=True)
        message = f"it failed: {type(error).__name__}: {error}"
    return Baseline(name=name, message=clean_text(message)[:MESSAGE_CHARACTERS])


async def _make_constant(ctx: RunContext, brief: Brief) -> Baseline:
    searched, *fresh = await _inputs(ctx, brief)
    graded = [await _grade_constant(ctx, staged) for staged in (searched, *fresh)]
    ways = dict.fromkeys(how for how, _ in graded)
    verdicts = [verdict for _, verdict in graded]
    return _summarize("constant", " or ".join(ways), verdicts, blind=_is_blind(fresh))


async def _grade_constant(ctx: RunContext, staged: StagedInput) -> tuple[str, Verdict]:
    """Return which constant is the best on the training labels of an input, and its grade on the withheld rows."""
    lenient = _without_sample(staged)
    how, text = await asyncio.to_thread(_write_constant, lenient)
    path = ctx.services.blobs.path(await ctx.services.keep(text))
    grade = await ctx.grading.grade(lenient, path)
    scores = {"holdout": grade.score, "holdout_se": grade.standard_error}
    return how, Verdict(status="invalid" if grade.score is None else "ok", message=grade.problem, **scores)


def _write_constant(staged: StagedInput) -> tuple[str, str]:
    grader = _grader(staged)
    constant = find_constant(grader.task, grader.form.metric, grader.holdout)
    return constant.how, write_constant(grader.form, constant)


def _without_sample(staged: StagedInput) -> StagedInput:
    """Return an input whose grader accepts a copy of the sample submission, which often is a constant itself."""
    return replace(staged, grader=replace(_grader(staged), accepts_sample=True))


async def _make_simple(ctx: RunContext, brief: Brief, state: PipelineState) -> Baseline:
    searched, *fresh = await _inputs(ctx, brief)
    model = write_simple_model(brief.spec, brief.statistics, searched.form.metric, seed=brief.seed)
    script = await ctx.services.keep(model.script)
    verdicts = await asyncio.gather(*(_run_simple(ctx, brief, script, staged) for staged in (searched, *fresh)))
    outputs = [await ctx.services.text(verdict.output) for verdict in verdicts if verdict.output]
    choice = read_choice("\n".join(outputs)) or "linear model or gradient boosting"
    baseline = _summarize("simple", f"{choice} on {model.columns}", verdicts, blind=_is_blind(fresh))
    gain = await _gain_of_winner(ctx, (searched, *fresh), verdicts, state)
    update = {"script": script, "seconds": sum(verdict.seconds for verdict in verdicts)}
    if gain is not None:
        update |= {"winner_gain": gain[0], "winner_gain_se": gain[1]}
    return baseline.model_copy(update=update)


async def _run_simple(ctx: RunContext, brief: Brief, script: str, staged: StagedInput) -> Verdict:
    """Run the simple model on an input, with the caps of an export: nothing follows for which room must be kept."""
    try:
        execution = await ctx.executor.execute(script, staged, stage="export", label=f"simple-{staged.name}")
    except Refusal:
        return Verdict(status="refused", message=REFUSED)
    return await grade_execution(ctx, brief, execution, staged, counted=False)


async def _gain_of_winner(
    ctx: RunContext, inputs: Sequence[StagedInput], verdicts: Sequence[Verdict], state: PipelineState
) -> tuple[float, float] | None:
    """Return by how much the winner is better than the simple model on the same rows, and the error of that.

    The rows are the fresh ones where the winner was scored on them, else those of the holdout.

    None where one of them has no score there.
    """
    winner = state.get("solutions", {}).get(state.get("winner") or "")
    if winner is None:
        return None
    rescoring = state.get("rescorings", {}).get(winner.id)
    won = rescoring.submissions if rescoring else ()
    if won and len(won) == len(inputs) - 1:
        others = [verdict.submission for verdict in verdicts[1:]]
        pairs: list[tuple[StagedInput, str | None, str | None]] = list(zip(inputs[1:], won, others, strict=True))
    else:
        pairs = [(inputs[0], winner.verdict.submission, verdicts[0].submission)]
    comparisons: list[Comparison] = []
    for staged, left, right in pairs:
        comparison = await compare_submissions(ctx, staged, left, right) if left and right else None
        if comparison is None:
            return None
        comparisons.append(comparison)
    differences = [comparison.difference for comparison in comparisons]
    errors = [comparison.standard_error for comparison in comparisons]
    return sum(differences) / len(differences), error_of_mean(differences, errors)


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
