"""By how much each solution is better than the one that it was made from, on the same rows."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mlestar.errors import MlestarError
from mlestar.metrics.spec import Direction
from mlestar.runtime.context import RunContext
from mlestar.runtime.inputs import StagedInput
from mlestar.state import Brief, Solution, best_first
from mlestar.store import key_of

logger = logging.getLogger("mlestar.report")

MAX_SECONDS = 60.0
"""That comparing solutions may take when a run ends; those that are left have no gain. Chosen by judgement."""


@dataclass(frozen=True)
class SolutionGain:
    """A solution compared with the one that it was made from."""

    compared: str
    """Id of that one."""
    gain: float | None = None
    """None: it is not known."""
    gain_se: float | None = None


async def find_gains(
    ctx: RunContext, brief: Brief, solutions: Mapping[str, Solution], *, ended: bool
) -> dict[str, SolutionGain]:
    """Return the gain of each solution over its parent, or over the best of those that it is made from, by its id.

    What the run compared is read from its ledger. The rest is compared once the run has ended, while time is left.
    """
    staged = await _find_rows(ctx, brief) if ended and brief.split is not None else None
    end = time.monotonic() + MAX_SECONDS
    gains = {}
    for name, solution in solutions.items():
        base = find_base(brief.spec.direction, solution, solutions)
        if base is None:
            continue
        gain = await _noted(ctx, solution, base)
        if gain is None and staged is not None and time.monotonic() < end:
            gain = await _compared(ctx, staged, solution, base)
        gains[name] = gain or SolutionGain(base.id)
    return gains


async def _find_rows(ctx: RunContext, brief: Brief) -> StagedInput | None:
    """Return the input of the search with its grader; None where it cannot be staged any more."""
    try:
        return await ctx.inputs.search(brief)
    except Exception:  # the result must be written without gains
        logger.warning("run %s: no gains", ctx.folder.run_id, exc_info=True)
        return None


def find_base(direction: Direction, solution: Solution, solutions: Mapping[str, Solution]) -> Solution | None:
    """Return the solution that another was made from; of several the best one."""
    if solution.parent is not None:
        return solutions.get(solution.parent)
    names = [*solution.combines, *(member.solution for member in solution.members)]
    return next(iter(best_first(direction, [solutions[name] for name in names if name in solutions])), None)


async def _noted(ctx: RunContext, solution: Solution, base: Solution) -> SolutionGain | None:
    """Return the gain that the run computed for a plan, rounded as agents were shown it."""
    note = await asyncio.to_thread(ctx.services.ledger.recall, key_of("trial", solution.id))
    gain = note.get("gain") if note else None
    return SolutionGain(base.id, gain["difference"], gain["standard_error"]) if gain else None


async def _compared(ctx: RunContext, staged: StagedInput, solution: Solution, base: Solution) -> SolutionGain | None:
    blobs = solution.verdict.submission, base.verdict.submission
    if solution.score is None or base.score is None or not all(blobs):
        return None
    try:
        paths = [await asyncio.to_thread(ctx.services.blobs.verified, blob or "") for blob in blobs]
        comparison = await ctx.grading.compare(staged, *paths)
    except MlestarError as error:  # a blob is gone or was changed; the result must be written without it
        logger.warning("run %s: %s was not compared: %s", ctx.folder.run_id, solution.id, error)
        return None
    return SolutionGain(base.id, comparison.difference, comparison.standard_error) if comparison else None
