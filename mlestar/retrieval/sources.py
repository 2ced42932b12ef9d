"""Retrievers asked in order and side by side. A retriever that fails is reported and skipped; it never ends a run."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from mlestar.errors import StoreError, clean_text, mask_secrets
from mlestar.prompts import shorten
from mlestar.retrieval.exclusion import Exclusion
from mlestar.state import Brief, Citation, ModelCard, Source

logger = logging.getLogger("mlestar.retrieval")

MIN_RESULTS, RESULTS_PER_CARD = 12, 3
"""Results that agents see at most: the first number, or more when many cards are wanted. Chosen by judgement; not
measured."""
MAX_NAME, MAX_TEXT, MAX_CODE, MAX_ADDRESS = 200, 3000, 6000, 500
"""Characters that are kept of each part of a result. Chosen by judgement; not measured."""
MAX_LIBRARIES = MAX_CITATIONS = 20
"""Entries that are kept of each list of a result."""


class Retriever(Protocol):
    """Finds material for model cards."""

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        """Return about `count` results for the task, best first; may raise any exception."""
        ...


class Findings(BaseModel):
    """The outcome of a retrieval."""

    model_config = ConfigDict(frozen=True)

    cards: tuple[ModelCard, ...] = ()
    dropped: tuple[Source, ...] = ()
    failures: tuple[str, ...] = ()
    """One line for each retriever that failed."""


class Retrieval:
    """Asks steps of retrievers in order: those of one step side by side, the next step when the last found nothing."""

    def __init__(self, steps: Sequence[Sequence[Retriever]], exclusion: Exclusion | None = None) -> None:
        self._steps = steps
        self.exclusion = exclusion or Exclusion()
        """What may not be used, packages and weights included."""

    @property
    def title(self) -> str:
        """The names of the retrievers, in the order in which they are asked."""
        return ", else ".join(" and ".join(map(name_of, step)) for step in self._steps) or "none"

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        return (await self.gather(brief, count)).cards

    async def gather(self, brief: Brief, count: int, emit: Callable[[str], None] = lambda line: None) -> Findings:
        """Return the results of the first step that has any, without what is excluded."""
        failures: list[str] = []
        dropped: list[Source] = []
        for step in self._steps:
            outcomes = await asyncio.gather(*(self._ask(retriever, brief, count) for retriever in step))
            for outcome in outcomes:
                if isinstance(outcome, str):
                    failures.append(outcome)
                    emit(outcome)
            results = [outcome for outcome in outcomes if not isinstance(outcome, str)]
            cards, dropped_here = self._exclude(_interleave(results))
            dropped += dropped_here
            if cards:
                kept = cards[: max(MIN_RESULTS, RESULTS_PER_CARD * count)]
                return Findings(cards=tuple(kept), dropped=tuple(dropped), failures=tuple(failures))
        return Findings(dropped=tuple(dropped), failures=tuple(failures))

    def _exclude(self, results: Iterator[ModelCard]) -> tuple[list[ModelCard], list[Source]]:
        """Return the cards that may be used, and the pages of the others with the reason."""
        cards: list[ModelCard] = []
        dropped: list[Source] = []
        for card in results:
            reason = self.exclusion.reason(card)
            if not reason:
                cards.append(card)
                continue
            address = mask_secrets(card.source.partition("?")[0])
            logger.info("dropped %s from %s: %s", address, card.found_by, reason)
            dropped += [source.model_copy(update={"dropped": reason}) for source in sources_of(card)]
        return cards, dropped

    async def _ask(self, retriever: Retriever, brief: Brief, count: int) -> list[ModelCard] | str:
        """Return the results of a retriever, or one line about its failure."""
        name = name_of(retriever)
        try:
            results = await retriever.find(brief, count)
            cards = [_limit(card, name) for card in results]
        except StoreError:
            raise
        except Exception as error:  # retrievers raise errors of their own and of several HTTP libraries
            message = " ".join(mask_secrets(str(error)).split())[:200]
            line = f"retrieval {name} failed: {type(error).__name__}: {message}"
            logger.info(line)
            return line
        logger.debug("retrieval %s: %d results", name, len(cards))
        return cards


def name_of(retriever: Retriever) -> str:
    return str(getattr(retriever, "name", "") or type(retriever).__name__)


def sources_of(card: ModelCard) -> Iterator[Source]:
    """Yield the pages that a card is based on; its source when it cites none."""
    pages = card.citations or ((Citation(address=card.source),) if card.source else ())
    for page in pages:
        yield Source(address=page.address, title=page.title, found_by=card.found_by)


def _limit(card: ModelCard, retriever: str) -> ModelCard:
    """Return a result without control characters, cut to size, and without fields that only a person may set."""
    citations = (
        Citation(address=_clean(page.address, MAX_ADDRESS), title=_clean(page.title, MAX_NAME)) for page in _pages(card)
    )
    return ModelCard(
        name=_clean(card.name, MAX_NAME),
        description=_clean(card.description, MAX_TEXT),
        example_code=_clean(card.example_code, MAX_CODE),
        source=_clean(card.source, MAX_ADDRESS),
        libraries=tuple(_clean(name, 100) for name in card.libraries[:MAX_LIBRARIES]),
        weights=tuple(_clean(address, MAX_ADDRESS) for address in card.weights[:MAX_LIBRARIES]),
        licence=_clean(card.licence, MAX_NAME),
        citations=tuple(citations),
        found_by=retriever,
    )


def _pages(card: ModelCard) -> tuple[Citation, ...]:
    """Return what a result cites; its own page when it cites none."""
    if card.citations:
        return card.citations[:MAX_CITATIONS]
    return (Citation(address=card.source, title=card.name),) if "://" in card.source else ()


def _clean(text: str, max_length: int) -> str:
    return shorten(clean_text(text), max_length)


def _interleave(results: Sequence[Sequence[ModelCard]]) -> Iterator[ModelCard]:
    """Yield the results of several retrievers in turn, each page once."""
    seen: set[str] = set()
    for row in zip_longest(*results):
        for card in row:
            if card is None:
                continue
            identity = card.source.rstrip("/") if "://" in card.source else f"{card.source} {card.name}"
            if identity not in seen:
                seen.add(identity)
                yield card
