"""Where model cards come from."""

from mlestar.search.cards import read_card
from mlestar.search.sources import CatalogueSearch, Search, TavilySearch, choose_search

__all__ = ["CatalogueSearch", "Search", "TavilySearch", "choose_search", "read_card"]
