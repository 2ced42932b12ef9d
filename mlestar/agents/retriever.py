"""Retriever: turns search results into model cards."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_json
from mlestar.state import ModelCard


class Proposal(BaseModel):
    """What the retriever may say of a card; the rest of a card is not its word."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    example_code: str = ""
    source: str = ""
    libraries: tuple[str, ...] = ()


class Cards(BaseModel):
    cards: list[Proposal] = Field(min_length=1)


async def retrieve_cards(agent: AgentContext, results: Sequence[ModelCard], count: int) -> list[ModelCard]:
    """Return up to `count` cards for the task, each with the citations of the result it was taken from."""
    found = await agent.ask("retriever", parse_json(Cards), results=results, count=count)
    return [_cited(proposal, results) for proposal in found.cards[:count]]


def _cited(proposal: Proposal, results: Sequence[ModelCard]) -> ModelCard:
    """Return a card that cites only what a search really found."""
    address, name = proposal.source.rstrip("/"), proposal.name.casefold()

    def stands_behind(result: ModelCard) -> bool:
        pages = {page.address.rstrip("/") for page in result.citations} | {result.source.rstrip("/")}
        return result.name.casefold() == name or ("://" in address and address in pages)

    behind = [result for result in results if stands_behind(result)]
    pages = dict.fromkeys(page for result in behind for page in result.citations)
    return ModelCard(
        **proposal.model_dump(),
        citations=tuple(pages),
        found_by=behind[0].found_by if behind else "",
    )
