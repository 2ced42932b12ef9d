"""Initializer: a first solution with one retrieved model."""

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import script
from mlestar.state import ModelCard


async def write_candidate(agent: AgentContext, card: ModelCard) -> str:
    """Return a script that solves the task with the card's model."""
    return await agent.ask("initializer", script, card=card)
