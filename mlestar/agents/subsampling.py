"""Subsampling extractor and remover: the final script trains on all rows."""

from pydantic import BaseModel

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_block, parse_json
from mlestar.agents.script import check_script, locate, replace_block


class Subsampling(BaseModel):
    block: str = ""


async def remove_subsampling(agent: AgentContext, script: str) -> str | None:
    """Return the script without its subsampling, None when it has none."""

    def check(found: Subsampling) -> None:
        if found.block.strip():
            locate(script, found.block)

    found = await agent.ask("subsampling_extractor", parse_json(Subsampling, check), script=script)
    if not found.block.strip():
        return None

    def parse(reply: str) -> str:
        return check_script(replace_block(script, found.block, parse_block(reply)))

    return await agent.ask("subsampling_remover", parse, block=found.block)
