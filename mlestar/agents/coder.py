"""Coder: a block rewritten to a plan."""

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_block
from mlestar.agents.script import check_script, replace_block


async def rewrite_block(agent: AgentContext, script: str, block: str, plan: str) -> str:
    """Return the script with the block rewritten to the plan; the coder sees only block and plan."""

    def parse(reply: str) -> str:
        return check_script(replace_block(script, block, parse_block(reply)))

    return await agent.ask("coder", parse, block=block, plan=plan)
