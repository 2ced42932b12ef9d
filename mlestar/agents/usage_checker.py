"""Data-usage checker: is every provided file and column used?"""

import re

from mlestar.agents.context import AgentContext
from mlestar.agents.declarations import add_needs
from mlestar.agents.fences import read_fences
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.reasoning import clean_reply
from mlestar.agents.replies import parse_script
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import is_code
from mlestar.agents.whole import check_whole
from mlestar.state import Measured

ALL_USED = re.compile(
    r"^[^\w\n]*(?:(?:final )?(?:answer|result|verdict|conclusion)[^\w\n]+)?all used"
    r"(?P<rest>[^\w?\n]*$|[^\w?\n]*[-\u2013\u2014.:,;(][^\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
"""The answer that everything is used, on a line of its own or before an explanation."""
EXCEPTION = re.compile(
    r"\b(?:except|excluding|but|besides|apart|other than|not (?:counting|used|all)|unused|missing|however)\b",
    re.IGNORECASE,
)
"""Words of an explanation that may limit the answer before it."""


def parse_usage(reply: str) -> str | None:
    """Return the extended script of a reply, None when the reply is that everything is used."""
    text = clean_reply(reply)
    is_script = is_code(text) or any(fence.language == "python" or is_code(fence.text) for fence in read_fences(text))
    return None if not is_script and _says_all_used(text) else parse_script(reply)


def _says_all_used(text: str) -> bool:
    """Return whether a text without code says, outside its fences or in its only one, that everything is used."""
    fences = read_fences(text)
    for fence in fences if len(fences) > 1 else []:
        text = text.replace(fence.text, "")
    answers = list(ALL_USED.finditer(text))
    return bool(answers) and not any(EXCEPTION.search(answer["rest"]) for answer in answers)


USAGE_CHECKER = Role("usage_checker", "checkers", EXACT, parse_usage)


async def check_usage(agent: AgentContext, script: str, measured: Measured | None = None) -> str | None:
    """Return a script that uses what the given one left out, None when it uses everything."""
    check_code, advise = check_whole(agent.brief), advise_on_pandas(agent.brief.packages, script)

    def check(code: str | None) -> str | None:
        return add_needs(check_code(code), script) if code else code

    return await agent.ask(USAGE_CHECKER.then(check), advise=advise, script=script, measured=measured)
