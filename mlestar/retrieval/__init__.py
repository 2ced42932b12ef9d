"""Where model cards come from."""

from mlestar.retrieval.cards import read_card
from mlestar.retrieval.catalogue import CatalogueSearch
from mlestar.retrieval.choose import Searches, choose_search
from mlestar.retrieval.exclusion import Exclusion
from mlestar.retrieval.grounding import GoogleSearch
from mlestar.retrieval.sources import Findings, Search, Sources, sources_of
from mlestar.retrieval.tavily import TavilySearch
from mlestar.retrieval.tools import ToolSearch

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
