"""Extractor: chooses the block of code to refine and makes the first plan for it, in one answer."""

from collections.abc import Sequence

from pydantic import BaseModel, Field, field_validator

from mlestar.agents.blocks import locate
from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_json
from mlestar.agents.role import EXACT, Role
from mlestar.state import Block, Measured, Variant


class Extraction(BaseModel):
    block: str
    plan: str = Field(min_length=20)

    @field_validator("block", "plan", mode="before")
    @classmethod
    def _join_lines(cls, value: object) -> object:
        is_lines = isinstance(value, list) and all(isinstance(line, str) for line in value)
        return "\n".join(line.rstrip("\n") for line in value) if isinstance(value, list) and is_lines else value


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
