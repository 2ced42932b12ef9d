"""What counts as better: two solutions compared by the grader on the same withheld rows."""

from collections.abc import Sequence

from mlestar.evaluation.holdout.plan import Comparison
from mlestar.metrics.precision import round_score
from mlestar.metrics.spec import Direction, better
from mlestar.nodes.grading import compare_submissions
from mlestar.runtime.context import RunContext
from mlestar.state import Brief, Gain, Solution, Verdict, best_first

CONFIDENT = 0.9
"""Share of the paired resamples on which a significant improvement wins. Measured against `accept = "better"` on five
tables (benchmarks/RESULTS.md, the stages); 0.9 itself is chosen by judgement."""
HOPELESS = 0.1
"""Share of the paired resamples below which a script is worse beyond noise: the mirror of `CONFIDENT`."""


async def improves(ctx: RunContext, brief: Brief, candidate: Solution, best: Solution) -> bool:
    """Return whether a solution replaces the best one; ties do not, and any score beats none."""
    if not better(brief.spec.direction, candidate.score, best.score):
        return False
    if ctx.settings.accept == "better" or best.score is None:
        return True
    share = await probability_better(ctx, brief, candidate, best)
    return share is None or share >= CONFIDENT


async def is_no_worse(ctx: RunContext, brief: Brief, candidate: Solution, best: Solution) -> bool:
    """Return whether a solution runs and is not worse than the best one beyond noise."""
    if candidate.score is None:
        return False
    if not better(brief.spec.direction, best.score, candidate.score):
        return True
    share = await probability_better(ctx, brief, candidate, best)
    return share is not None and share > HOPELESS


async def best_improvement(
    ctx: RunContext, brief: Brief, candidates: Sequence[Solution], best: Solution
) -> Solution | None:
    """Return the best of the candidates if it replaces the solution that they started from."""
    ranked = best_first(brief.spec.direction, candidates)
    return ranked[0] if ranked and await improves(ctx, brief, ranked[0], best) else None


def describe_choice(direction: Direction, candidates: Sequence[Solution], base: Solution, kept: Solution) -> str:
    """Return one line on what a track continues from, and why a better score did not replace it."""
    if kept.id != base.id:
        return f"{kept.id} replaces {base.id}"
    better_ones = [
        solution.id for solution in best_first(direction, candidates) if better(direction, solution.score, base.score)
    ]
    why = "nothing better was found"
    if better_ones:
        why = f"{better_ones[0]} is better, though not beyond noise"
    return f"{base.id} stays: {why}"


async def probability_better(ctx: RunContext, brief: Brief, left: Solution, right: Solution) -> float | None:
    """Return the share of paired resamples on which `left` wins, None where there is nothing to resample."""
    comparison = await _compare(ctx, brief, left.verdict, right.verdict)
    return comparison.probability_better if comparison else None


async def gain_over(ctx: RunContext, brief: Brief, verdict: Verdict, base: Verdict) -> Gain | None:
    """Return by how much a graded submission is better than another, as agents may see it.

    There is none where nothing is withheld, or only the standing of the submission may be shown.
    """
    if verdict.score is None or base.score is None or verdict.standing:
        return None
    comparison = await _compare(ctx, brief, verdict, base)
    if comparison is None:
        return None
    error = comparison.standard_error
    difference = round_score(comparison.difference, error) or 0.0
    return Gain(difference=difference, standard_error=round_score(error, error) or 0.0)


async def _compare(ctx: RunContext, brief: Brief, left: Verdict, right: Verdict) -> Comparison | None:
    """Compare two submissions on the same resamples of the withheld rows; None where there is nothing to compare.

    What was not compared in time is as likely worse.
    """
    staged = await ctx.inputs.search(brief)
    if staged.grader is None or left.submission is None or right.submission is None:
        return None
    comparison = await compare_submissions(ctx, staged, left.submission, right.submission)
    return comparison or Comparison(difference=0.0, standard_error=0.0, probability_better=0.5)
