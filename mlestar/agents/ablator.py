"""Ablation writer: a study that switches parts of a script off."""

from collections.abc import Sequence

from mlestar.agents.context import AgentContext
from mlestar.agents.debugging import unlike
from mlestar.agents.replies import parse_block
from mlestar.agents.script import ScriptError, syntax_error


async def ask_for_study(agent: AgentContext, script: str, summaries: Sequence[str]) -> str:
    """Return a study script that writes `variants/NAME.csv` for the baseline and every variant."""
    return await agent.ask("ablator", _parse, script=script, summaries=summaries)


async def repair_study(agent: AgentContext, study: str, bug: str, failed_fixes: Sequence[str]) -> str:
    """Return a repaired study that differs from the failing one and from every failed fix."""
    parse = unlike((study, *failed_fixes), _parse)
    return await agent.ask("debugger", parse, script=study, bug=bug, failed_fixes=failed_fixes, study=True)


def _parse(reply: str) -> str:
    study = parse_block(reply)
    problem = syntax_error(study)
    if problem:
        raise ScriptError(problem)
    if "variants" not in study:
        msg = "the study never writes variants/NAME.csv"
        raise ScriptError(msg)
    return study
