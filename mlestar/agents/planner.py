"""Planner: the next plan for a block."""

from collections.abc import Callable, Sequence

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.replies import parse_plan
from mlestar.agents.role import VARIED, Role
from mlestar.agents.script import RepetitionError
from mlestar.metrics.precision import ShownScore
from mlestar.state import Attempt, Measured

PLANNER = Role("planner", "planners", VARIED, parse_plan)


async def ask_for_plan(
    agent: AgentContext,
    block: str,
    attempts: Sequence[Attempt],
    baseline: ShownScore,
    measured: Measured | None = None,
) -> str:
    """Return a plan that differs from every earlier plan for this block; a repeated one is asked for again once.

    Raises:
        ReplyError: the planner repeats itself, or no reply satisfied its contract.
    """
    role = PLANNER.then(reject_repeated(attempts))
    return await agent.ask(role, block=block, attempts=attempts, baseline=baseline, measured=measured)


def reject_repeated(attempts: Sequence[Attempt]) -> Callable[[str], str]:
    """Return a check for a plan that differs from earlier ones in more than case, punctuation and spaces.

    The check refuses one repetition and gives up at the second.
    """
    earlier = {_words(attempt.plan) for attempt in attempts}
    repetitions = 0

    def check(plan: str) -> str:
        nonlocal repetitions
        if _words(plan) not in earlier:
            return plan
        msg = "this plan was tried before; propose one that differs in substance"
        if repetitions:
            raise ReplyError(msg)
        repetitions += 1
        raise RepetitionError(msg)

    return check


def _words(plan: str) -> str:
    """Return a plan in lower case without punctuation and repeated spaces."""
    letters = "".join(character if character.isalnum() else " " for character in plan.lower())
    return " ".join(letters.split())
