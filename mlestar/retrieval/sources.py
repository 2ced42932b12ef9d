"""Retrievers asked in order and side by side. A search that fails is told and passed over; it never ends a run."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from mlestar.errors import StoreError
from mlestar.prompts import CONTROL, cut
from mlestar.retrieval.exclusion import Exclusion
from mlestar.state import Brief, Citation, ModelCard, Source

FEWEST, MOST = 12, 3
"""Results that agents are shown at most: a fixed number, or more when many cards are asked for (as times each)."""
NAME, TEXT, CODE, ADDRESS = 200, 3000, 6000, 500
"""Characters that are kept of each part of a result."""


class Retriever(Protocol):
    """Finds material from which the retriever makes model cards."""

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        """Return about `count` results for the task, best first; may raise what it likes."""
        ...


class Findings(BaseModel):
    """What came of a search."""

    model_config = ConfigDict(frozen=True)

    cards: tuple[ModelCard, ...] = ()
    dropped: tuple[Source, ...] = ()
    failures: tuple[str, ...] = ()
    """One line for each search that failed."""


class Retrieval:
    """Asks steps of searches in order: those of one step side by side, the next step when the last found nothing."""

    def __init__(self, steps: Sequence[Sequence[Retriever]], exclusion: Exclusion | None = None) -> None:
        self._steps = steps
        self._exclusion = exclusion or Exclusion()

    @property
    def title(self) -> str:
        """Name the searches, in the order in which they are asked."""
        return ", else ".join(" and ".join(map(name_of, step)) for step in self._steps) or "none"

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        return (await self.gather(brief, count)).cards

    async def gather(self, brief: Brief, count: int, emit: Callable[[str], None] = lambda line: None) -> Findings:
        """Return what the first step that finds something finds, without what is excluded."""
        failures: list[str] = []
        dropped: list[Source] = []
        for step in self._steps:
            found = await asyncio.gather(*(self._ask(search, brief, count) for search in step))
            for line in (result for result in found if isinstance(result, str)):
                failures.append(line)
                emit(line)
            cards = []
            for card in _in_turn([result for result in found if not isinstance(result, str)]):
                reason = self._exclusion.reason(card)
                dropped += [source.model_copy(update={"dropped": reason}) for source in sources_of(card) if reason]
                cards += [] if reason else [card]
            if cards:
                return Findings(
                    cards=tuple(cards[: max(FEWEST, MOST * count)]), dropped=tuple(dropped), failures=tuple(failures)
                )
        return Findings(dropped=tuple(dropped), failures=tuple(failures))

    async def _ask(self, search: Retriever, brief: Brief, count: int) -> list[ModelCard] | str:
        try:
            found = await search.find(brief, count)
            return [_bounded(card, name_of(search)) for card in found]
        except StoreError:
            raise
        except Exception as error:  # searches raise errors of their own and of several HTTP libraries
            first = " ".join(str(error).split())[:200]
            return f"retrieval {name_of(search)} failed: {type(error).__name__}: {first}"


def name_of(search: Retriever) -> str:
    return str(getattr(search, "name", "") or type(search).__name__)


def sources_of(card: ModelCard) -> Iterator[Source]:
    """Yield the pages that a card rests on; its source when it cites none."""
    pages = card.citations or ((Citation(address=card.source),) if card.source else ())
    for page in pages:
        yield Source(address=page.address, title=page.title, found_by=card.found_by)


def _bounded(card: ModelCard, search: str) -> ModelCard:
    """Return a result without control characters, cut to size, and with nothing only a person may claim."""
    return ModelCard(
        name=_clean(card.name, NAME),
        description=_clean(card.description, TEXT),
        example_code=_clean(card.example_code, CODE),
        source=_clean(card.source, ADDRESS),
        libraries=tuple(_clean(name, 100) for name in card.libraries[:20]),
        citations=tuple(
            Citation(address=_clean(page.address, ADDRESS), title=_clean(page.title, NAME)) for page in _pages(card)
        ),
        found_by=search,
    )


def _pages(card: ModelCard) -> tuple[Citation, ...]:
    """Return what a result cites; the page it is, when it cites none."""
    own = (Citation(address=card.source, title=card.name),) if "://" in card.source else ()
    return card.citations[:20] or own


def _clean(text: str, longest: int) -> str:
    return cut(CONTROL.sub("", text), longest)


def _in_turn(found: Sequence[Sequence[ModelCard]]) -> Iterator[ModelCard]:
    """Yield the results of several searches in turn, each page once."""
    seen: set[str] = set()
    for row in zip_longest(*found):
        for card in row:
            if card is None:
                continue
            identity = card.source.rstrip("/") if "://" in card.source else f"{card.source} {card.name}"
            if identity not in seen:
                seen.add(identity)
                yield card
