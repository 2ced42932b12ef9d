"""Web retriever and retriever: pages that describe models, and the model cards made from them."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_json
from mlestar.agents.role import VARIED, Role
from mlestar.state import ModelCard


class CardProposal(BaseModel):
    """The fields of a card that the retriever may fill; the citations come from the results."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    example_code: str = ""
    source: str = ""
    libraries: tuple[str, ...] = ()

    @field_validator("libraries", mode="before")
    @classmethod
    def _read_libraries(cls, value: object) -> object:
        """Read null as an empty list, and a text as one item, which may contain several names."""
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else value


class CardProposals(BaseModel):
    cards: list[CardProposal] = Field(min_length=1)


WEB_RETRIEVER = Role("web_retriever", "retrievers", VARIED, str)
"""Its reply is read together with the pages that the provider cites: see `mlestar.retrieval.grounding`."""
RETRIEVER = Role("retriever", "retrievers", VARIED, parse_json(CardProposals), CardProposals)


async def retrieve_cards(agent: AgentContext, results: Sequence[ModelCard], count: int) -> list[ModelCard]:
    """Return up to `count` cards for the task, each with the citations of the result that it was taken from."""
    proposals = await agent.ask(RETRIEVER, results=results, count=count)
    return [_add_citations(proposal, results) for proposal in proposals.cards[:count]]


def _add_citations(proposal: CardProposal, results: Sequence[ModelCard]) -> ModelCard:
    """Return a card that cites only pages of results which it names by title or address."""
    sources = [result for result in results if _names(proposal, result)]
    pages = dict.fromkeys(page for result in sources for page in result.citations)
    return ModelCard(
        **proposal.model_dump(),
        citations=tuple(pages),
        found_by=sources[0].found_by if sources else "",
    )


def _names(proposal: CardProposal, result: ModelCard) -> bool:
    """Return whether a proposal was taken from a result, by its name or by the address of one of its pages."""
    if result.name.casefold() == proposal.name.casefold():
        return True
    address = proposal.source.rstrip("/")
    addresses = {result.source.rstrip("/"), *(page.address.rstrip("/") for page in result.citations)}
    return "://" in address and address in addresses
