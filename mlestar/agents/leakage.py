"""Leakage checker and fixer: no label of a scored row may reach the model or the number it prints."""

from pydantic import BaseModel

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_block, parse_json
from mlestar.agents.script import ScriptError, locate, replace_block


class Leakage(BaseModel):
    leak: bool
    block: str = ""
    reason: str = ""


async def find_leakage(agent: AgentContext, script: str, evidence: str = "") -> Leakage:
    """Return whether the script leaks, and the exact block that does."""

    def check(finding: Leakage) -> None:
        if finding.leak:
            locate(script, finding.block)

    return await agent.ask("leakage_checker", parse_json(Leakage, check), script=script, evidence=evidence)


async def rewrite_leakage(agent: AgentContext, script: str, block: str, reason: str) -> str:
    """Return the script with the leaking block rewritten."""

    def parse(reply: str) -> str:
        repaired = replace_block(script, block, parse_block(reply))
        if repaired == script:
            msg = "the block is unchanged; it must be rewritten so that it does not leak"
            raise ScriptError(msg)
        return repaired

    return await agent.ask("leakage_fixer", parse, script=script, block=block, reason=reason)
