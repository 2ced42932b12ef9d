"""Initializer: a first solution with one retrieved model."""

from mlestar.agents.context import AgentContext
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_script
from mlestar.agents.role import VARIED, Role
from mlestar.agents.whole import check_whole
from mlestar.state import ModelCard

INITIALIZER = Role("initializer", "writers", VARIED, parse_script)


async def ask_for_candidate(agent: AgentContext, card: ModelCard) -> str:
    """Return a script that solves the task with the card's model."""
    role, advise = INITIALIZER.then(check_whole(agent.brief)), advise_on_pandas(agent.brief.packages)
    return await agent.ask(role, advise=advise, card=card)
