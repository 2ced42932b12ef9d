"""Ensemble planner and ensembler: how to combine the best solutions, and the script that does."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlestar.agents.context import AgentContext
from mlestar.agents.planner import untried
from mlestar.agents.replies import parse_script
from mlestar.state import Attempt


@dataclass(frozen=True, kw_only=True)
class Member:
    """A solution as the ensemble agents see it."""

    id: str
    title: str
    score: float | None
    code: str


async def ask_for_ensemble_plan(agent: AgentContext, members: Sequence[Member], attempts: Sequence[Attempt]) -> str:
    """Return a plan to combine the members that differs from those tried."""
    return await agent.ask("ensemble_planner", untried(attempts), solutions=members, attempts=attempts)


async def ask_for_ensemble(agent: AgentContext, members: Sequence[Member], plan: str, seconds: float) -> str:
    """Return one script that trains and combines all members within the seconds."""
    return await agent.ask("ensembler", parse_script, solutions=members, plan=plan, seconds=seconds)
