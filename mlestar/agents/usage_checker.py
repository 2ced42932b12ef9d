"""Data-usage checker: is every provided file and column used?"""

import re

from mlestar.agents.context import AgentContext
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_script
from mlestar.agents.role import EXACT, Role
from mlestar.agents.whole import check_whole
from mlestar.state import Measured

ALL_USED = re.compile(r"^\W*all used\W*$", re.IGNORECASE | re.MULTILINE)


def parse_usage(reply: str) -> str | None:
    """Return the extended script of a reply, None when the reply is that everything is used."""
    if "```" not in reply and ALL_USED.search(reply):
        return None
    return parse_script(reply)


USAGE_CHECKER = Role("usage_checker", "checkers", EXACT, parse_usage)


async def check_usage(agent: AgentContext, script: str, measured: Measured | None = None) -> str | None:
    """Return a script that uses what the given one left out, None when it uses everything."""
    check_code, advise = check_whole(agent.brief), advise_on_pandas(agent.brief.packages, script)

    def check(code: str | None) -> str | None:
        return check_code(code) if code else code

    return await agent.ask(USAGE_CHECKER.then(check), advise=advise, script=script, measured=measured)
