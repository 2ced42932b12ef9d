"""Ablator: writes a study that switches off parts of a script."""

from collections.abc import Sequence

from mlestar.agents.context import AgentContext
from mlestar.agents.debugging import DEBUGGER, reject_failed
from mlestar.agents.declarations import keep_needs
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_code
from mlestar.agents.role import VARIED, Role
from mlestar.agents.script import ScriptError, syntax_error
from mlestar.agents.whole import check_whole
from mlestar.state import Measured


def check_study(code: str) -> str:
    """Return the code when it can be run as an ablation study.

    Raises:
        ScriptError: it does not compile, or never names the files of its variants.
    """
    problem = syntax_error(code)
    if problem:
        raise ScriptError(problem)
    if "variants" not in code:
        msg = "the study never writes variants/NAME.csv"
        raise ScriptError(msg)
    return code


ABLATOR = Role("ablator", "writers", VARIED, parse_code.then(check_study))


async def ask_for_study(
    agent: AgentContext, script: str, summaries: Sequence[str], measured: Measured | None = None
) -> str:
    """Return a study script that writes `variants/NAME.csv` for the baseline and every variant."""
    role = ABLATOR.then(check_whole(agent.brief)).then(keep_needs(script))
    advise = advise_on_pandas(agent.brief.packages, script)
    return await agent.ask(role, advise=advise, script=script, summaries=summaries, measured=measured)


async def repair_study(
    agent: AgentContext, study: str, bug: str, failed_fixes: Sequence[str], measured: Measured | None = None
) -> str:
    """Return a repaired study that differs from the failing one and from every failed fix."""
    role = DEBUGGER.then(check_study).then(check_whole(agent.brief)).then(keep_needs(study, repairing=True))
    role = role.then(reject_failed([study, *failed_fixes]))
    return await agent.ask(role, script=study, bug=bug, failed_fixes=failed_fixes, study=True, measured=measured)
