"""Coder: rewrites a block of code to a plan."""

from mlestar.agents.blocks import replace_block
from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_code
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import check_script

CODER = Role("coder", "writers", EXACT, parse_code)


async def rewrite_block(agent: AgentContext, script: str, block: str, plan: str) -> str:
    """Return the script with the block rewritten to the plan; the coder sees only block and plan."""

    def patch(code: str) -> str:
        return check_script(replace_block(script, block, code))

    return await agent.ask(CODER.then(patch), block=block, plan=plan)
