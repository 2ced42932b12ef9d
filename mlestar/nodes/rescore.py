"""Rescoring: the few best scripts are scored again on fresh rows, and that picks the winner."""

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Send

from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.nodes.finalists import choose_finalists, error_of_mean, order_finalists, ranked_scripts
from mlestar.nodes.grading import grade_execution
from mlestar.nodes.leakage import check_finalist
from mlestar.nodes.order import compare_baselines, place_baselines
from mlestar.nodes.progress import emit
from mlestar.nodes.start_order import place_start
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.progress import Subject
from mlestar.settings import Settings
from mlestar.state import Brief, PipelineState, Rescoring, RescoringState, Solution, Verdict


async def each_finalist(state: PipelineState, runtime: Runtime[Settings]) -> list[Send] | Literal["no finalist"]:
    """Rescore the few best scripts; without any there is nothing to choose."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    finalists = choose_finalists(ranked_scripts(state, brief.spec.direction), ctx.settings.finalists)
    keys = {"run_id": state["run_id"], "brief": state["brief"]}
    return [Send("rescore", {**keys, "finalist": finalist}) for finalist in finalists] or "no finalist"


async def rescore(state: RescoringState, runtime: Runtime[Settings]) -> PipelineState:
    """Run one finalist on the fresh rows; that gives its fresh score, which no agent sees."""
    ctx = await find_context(state, runtime)
    brief, finalist = await ctx.brief(state), state["finalist"]
    # So that a blend counts with the time of one member where the budget expects the slowest script.
    stretch = float(max(1, len(finalist.members)))
    return {"rescorings": await rescore_solution(ctx, brief, finalist, runtime, stretch=stretch)}


async def rescore_solution(
    ctx: RunContext, brief: Brief, finalist: Solution, runtime: Runtime[Settings], *, stretch: float = 1.0
) -> dict[str, Rescoring]:
    """Return the fresh score of a solution by its id, or why it has none; `stretch` is of its time limit."""
    finding = await check_finalist(ctx, brief, finalist)
    if finding.leak:
        message = f"the check of the whole script found leakage: {finding.reason}"
        emit(runtime, "rescore", f"{finalist.full_name}: {message}")
        return {finalist.id: Rescoring(solution=finalist.id, failed=True, message=message)}
    try:
        fresh = await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)
        verdicts = [await _score_on(ctx, brief, finalist, staged, stretch) for staged in fresh]
    except Refusal:
        rescoring = Rescoring(solution=finalist.id, message="the budget allows no rescoring: the holdout score decides")
        return {finalist.id: rescoring}
    blind = bool(fresh) and all(staged.blind for staged in fresh)
    if not verdicts:
        message = "no fresh rows remain: the holdout score decides" if brief.split else "no holdout"
        return {finalist.id: Rescoring(solution=finalist.id, message=message)}
    rescoring = combine_verdicts(finalist, verdicts).model_copy(update={"blind": blind})
    if rescoring.fresh is not None:
        score = format_score(rescoring.fresh, rescoring.fresh_se)
        warnings = f"; {rescoring.message}" if rescoring.message else ""
        mark = "" if blind else f" ({NOT_BLIND})"
        emit(runtime, "rescore", f"{finalist.full_name}: fresh {score}{mark}{warnings}")
    return {finalist.id: rescoring}


def combine_verdicts(finalist: Solution, verdicts: Sequence[Verdict]) -> Rescoring:
    """Return the mean of a finalist's scores on disjoint fresh holdouts, with the standard error of that mean.

    The error is that of a random-effects model (DerSimonian and Laird, 1986, "Meta-Analysis in Clinical Trials"): where
    the scores differ by more than their own errors explain, as they do when neighbouring blocks are alike, it comes
    from how much they differ.
    """
    for verdict in verdicts:
        if verdict.holdout is None:
            return Rescoring(solution=finalist.id, failed=True, message=verdict.message)
    scores = tuple(verdict.holdout for verdict in verdicts if verdict.holdout is not None)
    errors = [verdict.holdout_se or 0.0 for verdict in verdicts]
    return Rescoring(
        solution=finalist.id,
        fresh=sum(scores) / len(scores),
        fresh_se=error_of_mean(scores, errors),
        scores=scores,
        submissions=tuple(verdict.submission or "" for verdict in verdicts),
        message="; ".join(dict.fromkeys(warning for verdict in verdicts for warning in verdict.warnings)),
    )


async def choose(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Order the solutions for export: finalists, then the others by holdout score.

    Baselines come before what they beat, and a start before what is worse than it beyond noise.
    """
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    direction = brief.spec.direction
    scripts = order_finalists(direction, ranked_scripts(state, direction), state.get("rescorings", {}))
    scripts = await place_start(ctx, brief, state, scripts)
    order = await place_start(ctx, brief, state, await place_baselines(ctx, brief, state, scripts))
    first = order[0] if order else None
    best = scripts[0] if scripts else None
    if first != best:
        reason = f"it is better than {best}" if best else "no script has a score"
        emit(runtime, "choose", f"the {first} baseline is what is submitted: {reason}")
    chosen: PipelineState = {"order": order, "winner": first}
    return {**chosen, "baselines": await compare_baselines(ctx, brief, {**state, **chosen}, best)}


async def _score_on(ctx: RunContext, brief: Brief, finalist: Solution, staged: StagedInput, stretch: float) -> Verdict:
    execution = await ctx.executor.execute(
        finalist.script or "",
        staged,
        stretch=stretch,
        stage="rescoring",
        label=f"{finalist.id}-{staged.name}",
        subject=Subject.of(finalist),
    )
    return await grade_execution(ctx, brief, execution, staged, subject=Subject.of(finalist))
