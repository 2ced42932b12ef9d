"""Adapter: a person's own script, changed as little as the contract of a script needs."""

from collections.abc import Callable

from mlestar.agents.context import AgentContext
from mlestar.agents.declarations import add_needs
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_script
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import ScriptError, check_script
from mlestar.agents.sharing import limit_message
from mlestar.agents.whole import check_whole
from mlestar.state import Brief, Verdict

ADAPTER = Role("adapter", "writers", EXACT, parse_script)


def find_breach(code: str, brief: Brief) -> str:
    """Return why a script does not satisfy the contract, empty when it does."""
    try:
        check_whole(brief)(check_script(code))
    except ScriptError as error:
        return str(error)
    return ""


async def adapt_script(
    agent: AgentContext, script: str, given: Verdict, breach: str, check_paths: Callable[[str], str] = str
) -> str:
    """Return a person's script adapted to the contract.

    Args:
        agent: who asks.
        script: as it was given.
        given: how its execution as given ended.
        breach: what it lacks.
        check_paths: returns a script that reads its input only, and raises `ScriptError` for another.
    """
    check, advise = check_whole(agent.brief), advise_on_pandas(agent.brief.packages, script)

    def accept(code: str) -> str:
        return add_needs(check_paths(check(code)), script)

    status = "it ran and its submission could be graded" if given.status == "ok" else given.status
    outcome = {
        "status": status,
        "message": limit_message(given.message, agent.brief.share, given.status),
        "lacks": breach,
    }
    role = ADAPTER.then(accept)
    return await agent.ask(role, advise=advise, script=script, outcome=outcome, measured=given.measured)
