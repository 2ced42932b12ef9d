"""Finals: the few best scripts sit the rehearsal again on fresh splits, and that alone picks the winner."""

import asyncio
import math
from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Send

from mlestar import evaluation
from mlestar.metrics.spec import Direction
from mlestar.nodes.progress import tell
from mlestar.runtime.budget import Refused
from mlestar.runtime.context import Place, Workbench, find_workbench
from mlestar.settings import Settings
from mlestar.state import Brief, Final, FinalState, PipelineState, Solution, best_first


async def each_finalist(state: PipelineState, runtime: Runtime[Settings]) -> list[Send] | Literal["no finalist"]:
    """Start the finals with the few best scripts; without any there is nothing to choose."""
    bench = await find_workbench(state, runtime)
    brief = await bench.brief(state)
    finalists = choose_finalists(ranked_scripts(state, brief.spec.direction), bench.settings.finalists)
    keys = {"run_id": state["run_id"], "brief": state["brief"]}
    return [Send("sit_final", {**keys, "finalist": finalist}) for finalist in finalists] or "no finalist"


def ranked_scripts(state: PipelineState, direction: Direction) -> list[Solution]:
    """Return the solutions that have a score, best first, each script once."""
    ranked = best_first(direction, sorted(state.get("solutions", {}).values(), key=lambda solution: solution.id))
    return list({solution.script: solution for solution in reversed(ranked)}.values())[::-1]


def choose_finalists(ranked: Sequence[Solution], count: int) -> list[Solution]:
    """Return the best by search score; from two on, the best ensemble and the best single solution are among them.

    The search score of a kind is chosen from many tries on the same rows, so its lead over the other may be chance.
    """
    finalists = list(ranked[:count])
    for ensemble in (True, False):
        kind = [solution for solution in ranked if (solution.origin == "ensemble") is ensemble]
        if count > 1 and kind and kind[0] not in finalists:
            finalists[-1] = kind[0]
    return finalists


async def final(state: FinalState, runtime: Runtime[Settings]) -> PipelineState:
    """Run one finalist on every fresh split; the mean is its selection score, which no agent sees."""
    bench = await find_workbench(state, runtime)
    brief, finalist = await bench.brief(state), state["finalist"]
    try:
        found = [
            await _sit(bench, brief, finalist, place, held)
            for place, held in await bench.fresh_places(brief, bench.settings.fresh_splits)
        ]
    except Refused:
        message = "the budget allows no final: the search score stands"
        return {"finals": {finalist.id: Final(solution=finalist.id, message=message)}}
    if not found:
        message = "no fresh rows remain: the search score decides" if brief.split else "no rehearsal"
        return {"finals": {finalist.id: Final(solution=finalist.id, message=message)}}
    problems = [judgement.problem for judgement in found if judgement.score is None]
    if problems:
        return {"finals": {finalist.id: Final(solution=finalist.id, failed=True, message=problems[0])}}
    scores = tuple(judgement.score for judgement in found if judgement.score is not None)
    errors = [judgement.standard_error or 0.0 for judgement in found]
    mean = sum(scores) / len(scores)
    error = math.sqrt(sum(e * e for e in errors)) / len(errors)
    tell(runtime, "sit_final", f"{finalist.id} {finalist.title}: selection {mean:.5g} ± {error:.2g}")
    return {"finals": {finalist.id: Final(solution=finalist.id, selection=mean, selection_se=error, scores=scores)}}


async def choose(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Order the solutions for export: finalists by selection, then the others by search."""
    bench = await find_workbench(state, runtime)
    brief = await bench.brief(state)
    sign = -1 if brief.spec.direction == "maximize" else 1
    finals = state.get("finals", {})

    def place(identity: str) -> tuple[int, float]:
        final = finals.get(identity)
        if final and final.selection is not None:
            return 0, sign * final.selection
        return (2 if final and final.failed else 1), 0.0

    order = sorted((solution.id for solution in ranked_scripts(state, brief.spec.direction)), key=place)
    return {"order": order, "winner": order[0] if order else None}


async def _sit(
    bench: Workbench, brief: Brief, finalist: Solution, place: Place, held: evaluation.Rehearsal
) -> evaluation.Judgement:
    outcome = await bench.execute(finalist.script or "", place, stage="final", label=f"{finalist.id}-{place.name}")
    submission = outcome.files.get("submission.csv")
    if outcome.status != "ok" or submission is None:
        detail = outcome.detail or "no ./submission.csv"
        return evaluation.Judgement(score=None, standard_error=None, problem=f"{outcome.status}: {detail}")
    task = await bench.task(brief)
    return await asyncio.to_thread(evaluation.judge, task, held, bench.blobs.path(submission))
