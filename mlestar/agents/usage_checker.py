"""Data-usage checker: is every provided file and column used?"""

import re

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_script
from mlestar.agents.role import EXACT, Role
from mlestar.agents.whole import check_whole

ALL_USED = re.compile(r"^\W*all used\W*$", re.IGNORECASE | re.MULTILINE)


def parse_usage(reply: str) -> str | None:
    """Return the extended script of a reply, None when the reply is that everything is used."""
    if "```" not in reply and ALL_USED.search(reply):
        return None
    return parse_script(reply)


USAGE_CHECKER = Role("usage_checker", "checkers", EXACT, parse_usage)


async def check_usage(agent: AgentContext, script: str) -> str | None:
    """Return a script that uses what the given one left out, None when it uses everything."""
    check_code = check_whole(agent.brief)

    def check(code: str | None) -> str | None:
        return check_code(code) if code else code

    return await agent.ask(USAGE_CHECKER.then(check), script=script)
