"""Rescoring: the few best scripts sit the holdout again on fresh splits, and that alone picks the winner."""

import asyncio
import math
from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Send

from mlestar import evaluation
from mlestar.metrics.spec import Direction
from mlestar.nodes.progress import emit
from mlestar.runtime.budget import Refused
from mlestar.runtime.context import RunContext, StagedInput, find_context
from mlestar.settings import Settings
from mlestar.state import Brief, PipelineState, Rescoring, RescoringState, Solution, best_first


async def each_finalist(state: PipelineState, runtime: Runtime[Settings]) -> list[Send] | Literal["no finalist"]:
    """Start the rescorings with the few best scripts; without any there is nothing to choose."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    finalists = choose_finalists(ranked_scripts(state, brief.spec.direction), ctx.settings.finalists)
    keys = {"run_id": state["run_id"], "brief": state["brief"]}
    return [Send("rescore", {**keys, "finalist": finalist}) for finalist in finalists] or "no finalist"


def ranked_scripts(state: PipelineState, direction: Direction) -> list[Solution]:
    """Return the solutions that have a score, best first, each script once."""
    ranked = best_first(direction, sorted(state.get("solutions", {}).values(), key=lambda solution: solution.id))
    return list({solution.script: solution for solution in reversed(ranked)}.values())[::-1]


def choose_finalists(ranked: Sequence[Solution], count: int) -> list[Solution]:
    """Return the best by holdout score; from two on, the best ensemble and the best single solution are among them.

    The holdout score of a kind is chosen from many tries on the same rows, so its lead over the other may be chance.
    """
    finalists = list(ranked[:count])
    for ensemble in (True, False):
        kind = [solution for solution in ranked if (solution.origin == "ensemble") is ensemble]
        if count > 1 and kind and kind[0] not in finalists:
            finalists[-1] = kind[0]
    return finalists


async def rescore(state: RescoringState, runtime: Runtime[Settings]) -> PipelineState:
    """Run one finalist on every fresh split; the mean is its fresh score, which no agent sees."""
    ctx = await find_context(state, runtime)
    brief, finalist = await ctx.brief(state), state["finalist"]
    try:
        found = [
            await _rescore_once(ctx, brief, finalist, place, held)
            for place, held in await ctx.fresh_inputs(brief, ctx.settings.fresh_splits)
        ]
    except Refused:
        message = "the budget allows no final: the holdout score stands"
        return {"rescorings": {finalist.id: Rescoring(solution=finalist.id, message=message)}}
    if not found:
        message = "no fresh rows remain: the holdout score decides" if brief.split else "no holdout"
        return {"rescorings": {finalist.id: Rescoring(solution=finalist.id, message=message)}}
    problems = [grade.problem for grade in found if grade.score is None]
    if problems:
        return {"rescorings": {finalist.id: Rescoring(solution=finalist.id, failed=True, message=problems[0])}}
    scores = tuple(grade.score for grade in found if grade.score is not None)
    errors = [grade.standard_error or 0.0 for grade in found]
    mean = sum(scores) / len(scores)
    error = math.sqrt(sum(e * e for e in errors)) / len(errors)
    emit(runtime, "rescore", f"{finalist.id} {finalist.title}: fresh {mean:.5g} ± {error:.2g}")
    return {"rescorings": {finalist.id: Rescoring(solution=finalist.id, fresh=mean, fresh_se=error, scores=scores)}}


async def choose(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Order the solutions for export: finalists by fresh score, then the others by holdout score."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    sign = -1 if brief.spec.direction == "maximize" else 1
    rescorings = state.get("rescorings", {})

    def place(identity: str) -> tuple[int, float]:
        final = rescorings.get(identity)
        if final and final.fresh is not None:
            return 0, sign * final.fresh
        return (2 if final and final.failed else 1), 0.0

    order = sorted((solution.id for solution in ranked_scripts(state, brief.spec.direction)), key=place)
    return {"order": order, "winner": order[0] if order else None}


async def _rescore_once(
    ctx: RunContext, brief: Brief, finalist: Solution, place: StagedInput, held: evaluation.Holdout
) -> evaluation.Grade:
    outcome = await ctx.execute(finalist.script or "", place, stage="rescoring", label=f"{finalist.id}-{place.name}")
    submission = outcome.files.get("submission.csv")
    if outcome.status != "ok" or submission is None:
        detail = outcome.detail or "no ./submission.csv"
        return evaluation.Grade(score=None, standard_error=None, problem=f"{outcome.status}: {detail}")
    task = await ctx.task(brief)
    return await asyncio.to_thread(evaluation.grade_submission, task, held, ctx.blobs.path(submission))
