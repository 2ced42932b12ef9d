"""Merger: trains the reference's model beside the base's and averages the two."""

from collections.abc import Mapping

from mlestar.agents.context import AgentContext
from mlestar.agents.declarations import keep_needs
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_script
from mlestar.agents.role import VARIED, Role
from mlestar.agents.whole import check_whole
from mlestar.state import Measured

MERGER = Role("merger", "writers", VARIED, parse_script)


async def merge_scripts(
    agent: AgentContext, base: str, reference: str, measured: Mapping[str, Measured | None] | None = None
) -> str:
    """Return the base script with the reference's model integrated."""
    role = MERGER.then(check_whole(agent.brief)).then(keep_needs(base, reference))
    advise = advise_on_pandas(agent.brief.packages, f"{base}\n{reference}")
    return await agent.ask(role, advise=advise, base=base, reference=reference, measured=measured)
