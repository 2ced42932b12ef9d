"""Retrieval: where model cards come from."""

from mlestar.retrieval.cards import read_card
from mlestar.retrieval.catalogue import CatalogueRetriever, catalogue_libraries
from mlestar.retrieval.choose import RetrieversLike, choose_retrieval
from mlestar.retrieval.exclusion import Exclusion
from mlestar.retrieval.grounding import GoogleRetriever
from mlestar.retrieval.libraries import find_missing
from mlestar.retrieval.sources import Findings, Retrieval, Retriever, sources_of
from mlestar.retrieval.tavily import TavilyRetriever
from mlestar.retrieval.tools import ToolRetriever

__all__ = [
    "CatalogueRetriever",
    "Exclusion",
    "Findings",
    "GoogleRetriever",
    "Retrieval",
    "Retriever",
    "RetrieversLike",
    "TavilyRetriever",
    "ToolRetriever",
    "catalogue_libraries",
    "choose_retrieval",
    "find_missing",
    "read_card",
    "sources_of",
]
