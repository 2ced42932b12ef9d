"""Where model cards come from."""

from mlestar.search.sources import CatalogueSearch, Search, TavilySearch, choose_search

__all__ = ["CatalogueSearch", "Search", "TavilySearch", "choose_search"]
