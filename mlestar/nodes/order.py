"""Order: baselines come before the solutions that they beat on the same rows, so that no such result is submitted."""

import math
from collections.abc import Mapping, Sequence

from mlestar.evaluation import Comparison
from mlestar.metrics.spec import Direction, sign
from mlestar.nodes.finalists import error_of_mean
from mlestar.nodes.grading import compare_submissions
from mlestar.runtime.context import RunContext
from mlestar.runtime.inputs import StagedInput
from mlestar.state import BASELINE, Baseline, Brief, PipelineState, Rescoring, Solution

SIMPLE, CONSTANT = "simple", "constant"
"""Names of the baselines, which are the ids of their solutions too."""
BEYOND_ERROR = 1.0
"""Standard errors of the paired difference by which a baseline must be better to come first. Chosen by judgement; not
measured."""


async def place_baselines(ctx: RunContext, brief: Brief, state: PipelineState, order: Sequence[str]) -> list[str]:
    """Return the order of export with each baseline before the first solution that it beats, else at the end.

    The first place is decided by a paired comparison. The later ones matter only if an export fails: there the errors
    of both scores are added, which takes no time and is stricter. A baseline that failed on fresh rows comes last.

    Args:
        ctx: of the run.
        brief: of the run.
        state: with the solutions and rescorings of the baselines.
        order: ids of the other solutions, best first.
    """
    solutions, rescorings, placed = state.get("solutions", {}), state.get("rescorings", {}), list(order)
    for name in (SIMPLE, CONSTANT):
        baseline = solutions.get(name)
        if baseline is None or baseline.origin != BASELINE:
            continue
        rescoring = rescorings.get(name)
        place = len(placed)
        if rescoring is None or not rescoring.failed:
            place = await _find_place(ctx, brief, baseline, [solutions[one] for one in placed], rescorings)
        placed.insert(place, name)
    return placed


async def _find_place(
    ctx: RunContext,
    brief: Brief,
    baseline: Solution,
    ordered: Sequence[Solution],
    rescorings: Mapping[str, Rescoring],
) -> int:
    """Return the position of the first solution that a baseline beats, or the end."""
    for position, other in enumerate(ordered):
        gain = _difference(brief.spec.direction, baseline, other, rescorings)
        if gain[0] > 0 and position == 0:
            gain = await gain_over(ctx, brief, baseline, other, rescorings) or gain
        if gain[0] > BEYOND_ERROR * gain[1]:
            return position
    return len(ordered)


async def compare_baselines(
    ctx: RunContext, brief: Brief, state: PipelineState, solution: str | None
) -> dict[str, Baseline]:
    """Return the baselines with the gain of a solution over the simple model, and over the one that is the winner."""
    baselines, solutions = state.get("baselines", {}), state.get("solutions", {})
    best = solutions.get(solution or "")
    compared: dict[str, Baseline] = {}
    for name, baseline in baselines.items():
        other = solutions.get(name)
        gain = None
        if best and other and name in (SIMPLE, state.get("winner")):
            gain = await gain_over(ctx, brief, best, other, state.get("rescorings", {}))
        figures = {"winner_gain": gain[0], "winner_gain_se": gain[1]} if gain else {}
        compared[name] = baseline.model_copy(update={**figures, "compared": solution if gain else None})
    return compared


async def gain_over(
    ctx: RunContext, brief: Brief, left: Solution, right: Solution, rescorings: Mapping[str, Rescoring]
) -> tuple[float, float] | None:
    """Return by how much a solution is better than another on the same rows, and the standard error of that.

    The rows are the fresh ones where both were scored on them, else those of the holdout.

    None where one of them has no score there, or the comparison takes too long.
    """
    pairs: list[tuple[StagedInput, str | None, str | None]]
    rescored = on_fresh_rows(left, right, rescorings)
    fresh = await ctx.inputs.fresh(brief, ctx.settings.fresh_splits)
    if rescored and len(fresh) == len(rescored[0].submissions):
        pairs = list(zip(fresh, rescored[0].submissions, rescored[1].submissions, strict=True))
    else:
        pairs = [(await ctx.inputs.search(brief), left.verdict.submission, right.verdict.submission)]
    lenient = CONSTANT in (left.id, right.id)
    comparisons: list[Comparison] = []
    for staged, first, second in pairs:
        rows = staged.accepting_sample() if lenient else staged
        comparison = await compare_submissions(ctx, rows, first, second) if first and second else None
        if comparison is None:
            return None
        comparisons.append(comparison)
    differences = [comparison.difference for comparison in comparisons]
    errors = [comparison.standard_error for comparison in comparisons]
    return sum(differences) / len(differences), error_of_mean(differences, errors)


def _difference(
    direction: Direction, left: Solution, right: Solution, rescorings: Mapping[str, Rescoring]
) -> tuple[float, float]:
    """Return by how much a score is better than another of the same rows, and the error as if they were independent."""
    scores = left.verdict.holdout, right.verdict.holdout
    errors = left.verdict.holdout_se, right.verdict.holdout_se
    if rescored := on_fresh_rows(left, right, rescorings):
        scores, errors = (rescored[0].fresh, rescored[1].fresh), (rescored[0].fresh_se, rescored[1].fresh_se)
    if scores[0] is None or scores[1] is None:
        return 0.0, 0.0
    return sign(direction) * (scores[0] - scores[1]), math.hypot(errors[0] or 0.0, errors[1] or 0.0)


def on_fresh_rows(
    left: Solution, right: Solution, rescorings: Mapping[str, Rescoring]
) -> tuple[Rescoring, Rescoring] | None:
    """Return the rescorings of two solutions where both have them on the same rows."""
    ours, theirs = rescorings.get(left.id), rescorings.get(right.id)
    if ours is None or theirs is None or ours.fresh is None or theirs.fresh is None:
        return None
    return (ours, theirs) if len(ours.submissions) == len(theirs.submissions) else None
