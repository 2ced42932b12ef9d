"""Extractor: chooses the block of code to refine and makes the first plan for it, in one answer."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from mlestar.agents.blocks import locate
from mlestar.agents.context import AgentContext
from mlestar.agents.replies import Lines, parse_json
from mlestar.agents.role import EXACT, Role
from mlestar.state import Block, Measured, Variant


class Extraction(BaseModel):
    block: Lines
    plan: Lines = Field(min_length=20)


EXTRACTOR = Role("extractor", "planners", EXACT, parse_json(Extraction), Extraction)


async def ask_for_block(
    agent: AgentContext,
    script: str,
    summary: str,
    graded: Sequence[Variant],
    blocks: Sequence[str],
    measured: Measured | None = None,
) -> Block:
    """Return a block that occurs once in the script, with a plan; `blocks` were refined before."""

    def read_block(extraction: Extraction) -> Block:
        return Block(text=locate(script, extraction.block), plan=extraction.plan)

    return await agent.ask(
        EXTRACTOR.then(read_block),
        script=script,
        summary=summary,
        graded=list(graded),
        blocks=blocks,
        measured=measured,
    )
