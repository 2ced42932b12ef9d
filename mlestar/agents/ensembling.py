"""Ensemble planner and ensembler: how to combine the best solutions, and the script that does so."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlestar.agents.context import AgentContext
from mlestar.agents.declarations import keep_needs
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.planner import reject_repeated
from mlestar.agents.replies import parse_plan, parse_script
from mlestar.agents.role import VARIED, Role
from mlestar.agents.whole import check_whole
from mlestar.metrics.precision import ShownScore
from mlestar.state import Attempt, Measured


@dataclass(frozen=True, kw_only=True)
class Member:
    """A solution as the ensemble agents see it."""

    id: str
    title: str
    score: ShownScore
    code: str
    measured: Measured | None = None


ENSEMBLE_PLANNER = Role("ensemble_planner", "planners", VARIED, parse_plan)
ENSEMBLER = Role("ensembler", "writers", VARIED, parse_script)


async def ask_for_ensemble_plan(agent: AgentContext, members: Sequence[Member], attempts: Sequence[Attempt]) -> str:
    """Return a plan to combine the members that differs from the earlier ones."""
    role = ENSEMBLE_PLANNER.then(reject_repeated(attempts))
    return await agent.ask(role, solutions=members, attempts=attempts)


async def ask_for_ensemble(agent: AgentContext, members: Sequence[Member], plan: str, seconds: float) -> str:
    """Return one script that trains and combines all members within the seconds."""
    codes = [member.code for member in members]
    role = ENSEMBLER.then(check_whole(agent.brief)).then(keep_needs(*codes))
    advise = advise_on_pandas(agent.brief.packages, "\n".join(codes))
    return await agent.ask(role, advise=advise, solutions=members, plan=plan, seconds=seconds)
