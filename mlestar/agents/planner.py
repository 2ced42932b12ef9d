"""Planner: the next plan for a block."""

from collections.abc import Callable, Sequence

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.replies import parse_prose
from mlestar.agents.script import ScriptError
from mlestar.state import Attempt


async def ask_for_plan(agent: AgentContext, block: str, attempts: Sequence[Attempt], baseline: float | None) -> str:
    """Return a plan that differs from every plan tried on this block; a repeated one is asked for again once.

    Raises:
        ReplyError: the planner repeats itself, or no reply satisfied its contract.
    """
    return await agent.ask("planner", untried(attempts), block=block, attempts=attempts, baseline=baseline)


def untried(attempts: Sequence[Attempt]) -> Callable[[str], str]:
    """Return a parser for a plan that differs from those tried in more than case, marks and spaces.

    The parser refuses one repetition and gives up at the second.
    """
    tried = {_substance(attempt.plan) for attempt in attempts}
    repeated = 0

    def parse(reply: str) -> str:
        nonlocal repeated
        plan = parse_prose(reply)
        if _substance(plan) not in tried:
            return plan
        msg = "this plan was tried before; propose one that differs in substance"
        if repeated:
            raise ReplyError(msg)
        repeated += 1
        raise ScriptError(msg)

    return parse


def _substance(plan: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in plan.lower()).split())
