"""Retriever: turns search results into model cards."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from mlestar.agents.desk import Desk
from mlestar.agents.replies import typed
from mlestar.state import ModelCard


class Cards(BaseModel):
    cards: list[ModelCard] = Field(min_length=1)


async def retrieve_cards(desk: Desk, results: Sequence[ModelCard], count: int) -> list[ModelCard]:
    """Return up to `count` cards for the task."""
    found = await desk.ask("retriever", typed(Cards), results=results, count=count)
    own_word: dict[str, object] = {"by_person": False, "problem": ""}
    return [card.model_copy(update=own_word) for card in found.cards[:count]]
