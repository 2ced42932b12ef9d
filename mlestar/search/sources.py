"""Search sources: the built-in catalogue and Tavily. A failing search returns nothing; it never ends a run."""

import os
from collections.abc import Sequence
from typing import Literal, Protocol

from tavily import AsyncTavilyClient

from mlestar.errors import SettingsError
from mlestar.search.catalogue import catalogue_cards
from mlestar.state import Brief, ModelCard


class Search(Protocol):
    """Finds material from which the retriever makes model cards."""

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        """Return about `count` results for the task, best first."""
        ...


class CatalogueSearch:
    """The built-in cards for this kind of task."""

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        return catalogue_cards(brief.spec)


class TavilySearch:
    """Web search by Tavily."""

    def __init__(self, api_key: str, *, base_url: str | None = None, seconds: float = 20) -> None:
        self._client = AsyncTavilyClient(api_key=api_key, api_base_url=base_url)
        self._seconds = seconds

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        spec = brief.spec
        query = f"best machine learning model {spec.problem} {spec.modality} data optimise {spec.metric} python example"
        try:
            answer = await self._client.search(query, max_results=2 * count, timeout=self._seconds)
        except Exception:  # the client raises errors of its own and of two HTTP libraries
            return []
        return [
            ModelCard(name=hit.get("title", ""), description=hit.get("content", ""), source=hit.get("url", ""))
            for hit in answer.get("results", [])
        ]


class FallbackSearch:
    """The first source that finds something."""

    def __init__(self, *sources: Search) -> None:
        self._sources = sources

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        for source in self._sources:
            found = await source.find(brief, count)
            if found:
                return found
        return []


def choose_search(name: Literal["auto", "tavily", "catalogue", "none"]) -> Search:
    """Return the named source; `auto` is Tavily when its key is set, with the catalogue behind it.

    Raises:
        SettingsError: Tavily was asked for and its key is not set.
    """
    key = os.environ.get("TAVILY_API_KEY", "")
    if name == "none":
        return FallbackSearch()
    if name == "catalogue" or (name == "auto" and not key):
        return CatalogueSearch()
    if not key:
        msg = "search tavily needs a key: set TAVILY_API_KEY, or choose --set search=catalogue"
        raise SettingsError(msg)
    return FallbackSearch(TavilySearch(key), CatalogueSearch())
