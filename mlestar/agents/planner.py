"""Planner: the next plan for a block."""

from collections.abc import Callable, Sequence

from mlestar.agents.desk import Desk
from mlestar.agents.replies import prose
from mlestar.script import ScriptError
from mlestar.state import Attempt


async def plan_block(desk: Desk, block: str, attempts: Sequence[Attempt], baseline: float | None) -> str:
    """Return a plan that differs from every plan tried on this block."""
    return await desk.ask("planner", untried(attempts), block=block, attempts=attempts, baseline=baseline)


def untried(attempts: Sequence[Attempt]) -> Callable[[str], str]:
    """Return a parser for a plan that differs from those tried in more than case, marks and spaces."""
    tried = {_substance(attempt.plan) for attempt in attempts}

    def parse(reply: str) -> str:
        plan = prose(reply)
        if _substance(plan) in tried:
            msg = "this plan was tried before; propose one that differs in substance"
            raise ScriptError(msg)
        return plan

    return parse


def _substance(plan: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in plan.lower()).split())
