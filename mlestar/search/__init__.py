"""Where model cards come from."""

from mlestar.search.cards import read_card
from mlestar.search.catalogue import CatalogueSearch
from mlestar.search.choose import Searches, choose_search
from mlestar.search.exclusion import Exclusion
from mlestar.search.grounding import GoogleSearch
from mlestar.search.sources import Findings, Search, Sources, sources_of
from mlestar.search.tavily import TavilySearch
from mlestar.search.tools import ToolSearch

__all__ = [
    "CatalogueSearch",
    "Exclusion",
    "Findings",
    "GoogleSearch",
    "Search",
    "Searches",
    "Sources",
    "TavilySearch",
    "ToolSearch",
    "choose_search",
    "read_card",
    "sources_of",
]
