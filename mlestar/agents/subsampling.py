"""Subsampling extractor and remover: the final script trains on all rows."""

from pydantic import BaseModel

from mlestar.agents.blocks import locate, replace_block
from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_code, parse_json
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import check_script
from mlestar.agents.whole import task_columns


class Subsampling(BaseModel):
    block: str = ""


SUBSAMPLING_EXTRACTOR = Role("subsampling_extractor", "checkers", EXACT, parse_json(Subsampling), Subsampling)
SUBSAMPLING_REMOVER = Role("subsampling_remover", "checkers", EXACT, parse_code)


async def remove_subsampling(agent: AgentContext, script: str) -> str | None:
    """Return the script without its subsampling, None when it has none."""

    def check(subsampling: Subsampling) -> str:
        block = subsampling.block
        if block.strip():
            locate(script, block)
        return block

    block = await agent.ask(SUBSAMPLING_EXTRACTOR.then(check), script=script)
    if not block.strip():
        return None

    columns = task_columns(agent.brief)

    def patch(code: str) -> str:
        return check_script(replace_block(script, block, code, columns))

    return await agent.ask(SUBSAMPLING_REMOVER.then(patch), block=block)
