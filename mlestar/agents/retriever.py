"""Web retriever and retriever: pages that describe models, and the model cards made from them."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mlestar.agents.choices import Candidate
from mlestar.agents.context import AgentContext
from mlestar.agents.json_replies import read_objects
from mlestar.agents.replies import Lines, parse_json
from mlestar.agents.role import VARIED, Role
from mlestar.agents.script import ScriptError
from mlestar.state import ModelCard


class CardProposal(BaseModel):
    """The fields of a card that the retriever may fill; the citations come from the results."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=200)
    description: Lines = ""
    example_code: Lines = ""
    source: str = ""
    libraries: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @field_validator("libraries", "weights", mode="before")
    @classmethod
    def _read_libraries(cls, value: object) -> object:
        """Read null as no library, a text as one item, which may contain several names, an object by its name."""
        if value is None:
            return ()
        if isinstance(value, list):
            return [_read_library(item) if isinstance(item, dict) else item for item in value]
        return (value,) if isinstance(value, str) else value


def _read_library(item: dict[str, object]) -> object:
    """Return the name in the object of a library, with its version when that is a condition such as `>=2`."""
    name, version = item.get("name"), str(item.get("version") or "")
    return f"{name}{version}" if name and version.startswith(("<", ">", "=", "~", "!")) else name


class CardProposals(BaseModel):
    cards: list[CardProposal] = Field(min_length=1)

    @field_validator("cards", mode="before")
    @classmethod
    def _drop_bad(cls, value: object) -> object:
        """Leave out what is no card, when there is one."""
        return [item for item in value if _is_card(item)] or value if isinstance(value, list) else value


def _is_card(item: object) -> bool:
    try:
        CardProposal.model_validate(item)
    except ValidationError:
        return False
    return True


def read_cards(reply: str) -> list[list[Candidate[Any]]]:
    """Return the objects and lists of a reply; those that are each one card also count together as a list."""
    return [
        [*group, partial(_join_cards, group)] if len(group) > 1 else [partial(_wrap_card, group[0])]
        for group in read_objects(reply)
    ]


def _wrap_card(candidate: Candidate[Any]) -> Any:
    """Return a value that is one card as a list of cards; another one unchanged."""
    value = candidate()
    return {"cards": [value]} if isinstance(value, dict) and _is_card(value) else value


def _join_cards(candidates: Sequence[Candidate[Any]]) -> dict[str, Any]:
    """Return the candidates that are a card.

    Raises:
        ScriptError: there is none.
    """
    values: list[Any] = []
    for candidate in candidates:
        with suppress(ScriptError):
            values.append(candidate())
    cards = [value for value in values if isinstance(value, dict) and _is_card(value)]
    if cards:
        return {"cards": cards}
    msg = "the reply has no model card with a name"
    raise ScriptError(msg)


WEB_RETRIEVER = Role("web_retriever", "retrievers", VARIED, str)
"""Its reply is read together with the pages that the provider cites: see `mlestar.retrieval.grounding`."""
RETRIEVER = Role(
    "retriever", "retrievers", VARIED, parse_json(CardProposals, read_candidates=read_cards), CardProposals
)


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
        licence=sources[0].licence if sources else "",
    )


def _names(proposal: CardProposal, result: ModelCard) -> bool:
    """Return whether a proposal was taken from a result, by its name or by the address of one of its pages."""
    if result.name.casefold() == proposal.name.casefold():
        return True
    address = proposal.source.rstrip("/")
    addresses = {result.source.rstrip("/"), *(page.address.rstrip("/") for page in result.citations)}
    return "://" in address and address in addresses
