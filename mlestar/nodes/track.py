"""What every step of a track needs: its best solution, and whether the budget allows another step."""

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.nodes.acceptance import best_improvement, describe_choice, gain_over
from mlestar.nodes.progress import emit
from mlestar.runtime.context import RunContext
from mlestar.settings import Settings
from mlestar.state import Attempt, Brief, Solution, TrackState


def best_of(state: TrackState) -> Solution:
    """Return the best solution of a track that has one."""
    best = state["best"]
    if best is None:
        msg = "a track without a solution cannot be refined"
        raise RuntimeError(msg)
    return best


async def best_script(ctx: RunContext, state: TrackState) -> str:
    """Return the text of the best solution's script."""
    return await ctx.services.text(best_of(state).script or "")


def keep_best(track: int, best: Solution | None) -> TrackState:
    """Return the update that makes a solution the best of its track."""
    return {"best": best, "bests": {str(track): best}} if best else {"best": None}


async def accept_best(
    ctx: RunContext, state: TrackState, runtime: Runtime[Settings], stage: str, candidates: Sequence[Solution]
) -> Solution:
    """Return the best candidate if it replaces the track's best solution, else that one; emit the choice."""
    brief, base = await ctx.brief(state), best_of(state)
    best = await best_improvement(ctx, brief, candidates, base) or base
    emit(runtime, stage, describe_choice(brief.spec.direction, candidates, base, best), track=state["track"])
    return best


async def ask_budget(ctx: RunContext, track: int, step: str) -> TrackState:
    """Return the update that records whether the budget allows the next step; an empty step is never refused."""
    return {"spent": await ctx.services.budget.spent(f"{step} of t{track}" if step else "")}


def next_block(state: TrackState, runtime: Runtime[Settings]) -> Literal["next block", "done or budget"]:
    """Take T outer steps while the budget lasts."""
    steps = Settings.of(runtime.context).outer_steps
    return "done or budget" if state["spent"] or state["outer"] >= steps else "next block"


def plans_of(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that had a plan."""
    return [attempt for attempt in attempts if attempt.plan]


async def attempt_of(ctx: RunContext, brief: Brief, plan: str, solution: Solution, base: Solution | None) -> Attempt:
    """Return the record of a plan and its result, compared with the solution that it started from."""
    gain = await gain_over(ctx, brief, solution.verdict, base.verdict) if base else None
    return Attempt(
        plan=plan,
        solution=solution.id,
        score=solution.verdict.shown,
        gain=gain,
        status=solution.verdict.status,
        measured=solution.verdict.measured,
    )
