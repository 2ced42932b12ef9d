"""Where a start comes in the order of export: before every solution that is worse than it beyond noise."""

from collections.abc import Sequence

from mlestar.metrics.spec import sign
from mlestar.nodes.order import BEYOND_ERROR, gain_over, on_fresh_rows
from mlestar.nodes.start import START_ID
from mlestar.runtime.context import RunContext
from mlestar.state import START, Brief, PipelineState, Solution, StartComparison


def start_of(state: PipelineState) -> Solution | None:
    """Return the start of a run, None where there is none that runs."""
    start = state.get("solutions", {}).get(START_ID)
    return start if start is not None and start.origin == START and start.score is not None else None


async def place_start(ctx: RunContext, brief: Brief, state: PipelineState, order: Sequence[str]) -> list[str]:
    """Return the order with the start before the first solution that is worse than it beyond the paired error.

    A start that failed on the fresh rows stays where it is.
    """
    start, placed = start_of(state), list(order)
    if start is None or start.id not in placed or _has_failed(state, start.id):
        return placed
    others = placed[: placed.index(start.id)]
    for position, name in enumerate(others):
        if await is_worse(ctx, brief, state, state["solutions"][name]):
            placed.remove(start.id)
            placed.insert(position, start.id)
            break
    return placed


async def is_worse(ctx: RunContext, brief: Brief, state: PipelineState, solution: Solution) -> bool:
    """Return whether a solution is worse than the start beyond the error of the paired difference."""
    start = start_of(state)
    if start is None or start.id == solution.id or _has_failed(state, start.id):
        return False
    gain = await _gain(ctx, brief, state, solution, start)
    return gain is not None and gain[0] < -BEYOND_ERROR * gain[1]


async def compare_with_start(
    ctx: RunContext, brief: Brief, state: PipelineState, solution: Solution
) -> StartComparison | None:
    """Return by how much a solution is better than the start; None without a start that runs."""
    start = start_of(state)
    if start is None:
        return None
    if start.id == solution.id:
        return StartComparison(compared=solution.id)
    gain = await _gain(ctx, brief, state, solution, start)
    if brief.split is None:
        return StartComparison(compared=solution.id, rows="reported", gain=gain[0] if gain else None)
    figures = {"gain": gain[0], "gain_se": gain[1]} if gain else {}
    fresh = on_fresh_rows(solution, start, state.get("rescorings", {}))
    return StartComparison(compared=solution.id, rows="fresh" if fresh else "holdout", **figures)


async def _gain(
    ctx: RunContext, brief: Brief, state: PipelineState, solution: Solution, start: Solution
) -> tuple[float, float] | None:
    """Return by how much a solution is better than the start on the same rows, and the error of that.

    Without withheld rows that is the difference of what both report; None where a comparison takes too long.
    """
    if solution.score is None or start.score is None:
        return None
    if brief.split is None:
        return sign(brief.spec.direction) * (solution.score - start.score), 0.0
    return await gain_over(ctx, brief, solution, start, state.get("rescorings", {}))


def _has_failed(state: PipelineState, name: str) -> bool:
    rescoring = state.get("rescorings", {}).get(name)
    return rescoring is not None and rescoring.failed
