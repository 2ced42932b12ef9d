"""Coder: rewrites a block of code to a plan."""

from mlestar.agents.blocks import replace_block
from mlestar.agents.context import AgentContext
from mlestar.agents.pandas_lint import advise_on_pandas
from mlestar.agents.replies import parse_code
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import ScriptError, check_script
from mlestar.agents.whole import task_columns

CODER = Role("coder", "writers", EXACT, parse_code)


async def rewrite_block(agent: AgentContext, script: str, block: str, plan: str) -> str:
    """Return the script with the block rewritten to the plan; the coder sees only block and plan."""
    columns = task_columns(agent.brief)

    def patch(code: str) -> str:
        patched = replace_block(script, block, code, columns)
        if patched == script:
            msg = "the new block equals the old one; carry out the plan"
            raise ScriptError(msg)
        return check_script(patched)

    advise = advise_on_pandas(agent.brief.packages, script)
    return await agent.ask(CODER.then(patch), advise=advise, block=block, plan=plan)
