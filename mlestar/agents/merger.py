"""Merger: trains the reference's model beside the base's and averages the two."""

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_script
from mlestar.agents.role import VARIED, Role
from mlestar.agents.whole import check_whole

MERGER = Role("merger", "writers", VARIED, parse_script)


async def merge_scripts(agent: AgentContext, base: str, reference: str) -> str:
    """Return the base script with the reference's model integrated."""
    return await agent.ask(MERGER.then(check_whole(agent.brief)), base=base, reference=reference)
