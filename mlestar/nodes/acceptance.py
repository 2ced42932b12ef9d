"""What counts as better: two solutions compared by the grader on the same rows."""

import asyncio
from collections.abc import Sequence

from mlestar import evaluation
from mlestar.metrics.spec import Direction
from mlestar.runtime.context import RunContext
from mlestar.state import Brief, Solution, best_first, better

CONFIDENT = 0.9
"""Share of the paired resamples on which a significant improvement wins."""
HOPELESS = 0.1
"""Share of the paired resamples below which a script is worse beyond noise."""


async def improves(ctx: RunContext, brief: Brief, tried: Solution, best: Solution) -> bool:
    """Tell whether a solution replaces the best one; ties do not, and any score beats none."""
    if not better(brief.spec.direction, tried.score, best.score):
        return False
    if ctx.settings.accept == "better" or best.score is None:
        return True
    share = await probability_better(ctx, brief, tried, best)
    return share is None or share >= CONFIDENT


async def is_no_worse(ctx: RunContext, brief: Brief, tried: Solution, best: Solution) -> bool:
    """Tell whether a solution runs and is not worse than the best one beyond noise."""
    if tried.score is None:
        return False
    if not better(brief.spec.direction, best.score, tried.score):
        return True
    share = await probability_better(ctx, brief, tried, best)
    return share is not None and share > HOPELESS


async def best_improvement(ctx: RunContext, brief: Brief, tried: list[Solution], best: Solution) -> Solution | None:
    """Return the best of the solutions if it replaces the one they set out from."""
    ranked = best_first(brief.spec.direction, tried)
    return ranked[0] if ranked and await improves(ctx, brief, ranked[0], best) else None


def describe_choice(direction: Direction, tried: Sequence[Solution], base: Solution, kept: Solution) -> str:
    """Return one line on what a track goes on from, and why a better score did not replace it."""
    if kept.id != base.id:
        return f"{kept.id} replaces {base.id}"
    above = [one.id for one in best_first(direction, tried) if better(direction, one.score, base.score)]
    why = f"{above[0]} is better, though not beyond noise" if above else "nothing better was found"
    return f"{base.id} stays: {why}"


async def probability_better(ctx: RunContext, brief: Brief, left: Solution, right: Solution) -> float | None:
    """Return the share of paired resamples on which `left` wins, None where there is nothing to resample."""
    _, held = await ctx.search_input(brief)
    if held is None or left.verdict.submission is None or right.verdict.submission is None:
        return None
    submission, baseline = ctx.blobs.path(left.verdict.submission), ctx.blobs.path(right.verdict.submission)
    compared = await asyncio.to_thread(
        evaluation.compare_submissions, await ctx.task(brief), held, submission, baseline
    )
    return compared.probability_better
