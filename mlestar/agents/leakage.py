"""Leakage checker and fixer: no label of a scored row may reach the model or the number it prints."""

from pydantic import BaseModel

from mlestar.agents.blocks import locate, replace_block
from mlestar.agents.changes import Change
from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_code, parse_json
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import ScriptError
from mlestar.agents.whole import task_columns


class Leakage(BaseModel):
    leak: bool
    block: str = ""
    reason: str = ""


LEAKAGE_CHECKER = Role("leakage_checker", "checkers", EXACT, parse_json(Leakage))
LEAKAGE_FIXER = Role("leakage_fixer", "checkers", EXACT, parse_code)


async def find_leakage(agent: AgentContext, script: str, evidence: str = "", change: Change | None = None) -> Leakage:
    """Return whether the script, or a change of a clean script, leaks, and the exact block that does."""

    def check(finding: Leakage) -> Leakage:
        if not finding.leak:
            return finding
        return finding.model_copy(update={"block": locate(script, finding.block)})

    return await agent.ask(LEAKAGE_CHECKER.then(check), script=script, evidence=evidence, change=change)


async def rewrite_leakage(agent: AgentContext, script: str, block: str, reason: str) -> str:
    """Return the script with the leaking block rewritten."""
    columns = task_columns(agent.brief)

    def patch(code: str) -> str:
        repaired = replace_block(script, block, code, columns)
        if repaired == script:
            msg = "the block is unchanged; it must be rewritten so that it does not leak"
            raise ScriptError(msg)
        return repaired

    return await agent.ask(LEAKAGE_FIXER.then(patch), script=script, block=block, reason=reason)
