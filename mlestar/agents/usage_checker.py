"""Data-usage checker: is every provided file and column used?"""

import re

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_script

ALL_USED = re.compile(r"^\W*all used\W*$", re.IGNORECASE | re.MULTILINE)


async def check_usage(agent: AgentContext, script: str) -> str | None:
    """Return a script that uses what the given one left out, None when it uses everything."""
    return await agent.ask("usage_checker", _parse, script=script)


def _parse(reply: str) -> str | None:
    if "```" not in reply and ALL_USED.search(reply):
        return None
    return parse_script(reply)
