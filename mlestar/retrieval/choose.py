"""Which searches are asked, in which order."""

import importlib
import os
from collections.abc import Awaitable, Callable, Sequence

from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool

from mlestar.errors import SettingsError
from mlestar.prompts import Prompts
from mlestar.retrieval.catalogue import CatalogueRetriever
from mlestar.retrieval.exclusion import Exclusion
from mlestar.retrieval.grounding import GoogleRetriever, Grounded
from mlestar.retrieval.sources import Retrieval, Retriever
from mlestar.retrieval.tavily import TavilyRetriever
from mlestar.retrieval.tools import ToolRetriever
from mlestar.settings import RetrievalSettings

Ground = Callable[[str, str], Awaitable[Grounded]]
OneSearch = Retriever | BaseTool | BaseRetriever
Retrievers = OneSearch | Sequence[OneSearch] | None
"""What a caller may pass in: a search, a LangChain tool or retriever, or several of them."""
KEY = "TAVILY_API_KEY"


def choose_retrieval(
    settings: RetrievalSettings,
    passed: Retrievers = None,
    *,
    ground: Ground | None = None,
    prompts: Prompts | None = None,
    names: Sequence[str] = (),
) -> Retrieval:
    """Return the searches of a run, the catalogue behind them unless there are to be none.

    Args:
        settings: the configured sources and what is left out.
        passed: searches that a caller submitted; they go before the settings.
        ground: asks a Gemini model that may search; None when the model is none.
        prompts: for the Gemini model.
        names: what the task is called.

    Raises:
        SettingsError: a source is unknown, or a model or key that it needs is not there.
    """
    exclusion = Exclusion(
        settings.exclude_domains, settings.exclude_terms, names if settings.exclude_competition else ()
    )
    google = GoogleRetriever(ground, prompts or Prompts()) if ground else None
    steps: list[list[Retriever]]
    if passed is not None:
        steps = [[as_search(one) for one in _several(passed)]]
    elif settings.sources == ("none",):
        return Retrieval([], exclusion)
    elif settings.sources == ("auto",):
        steps = [[google]] if google else []
        steps += [[_tavily(settings)]] if os.environ.get(KEY) else []
    else:
        steps = [[_named(name, settings, google) for name in settings.sources]]
    has_catalogue = any(isinstance(search, CatalogueRetriever) for step in steps for search in step)
    return Retrieval(steps if has_catalogue else [*steps, [CatalogueRetriever()]], exclusion)


def as_search(one: OneSearch) -> Retriever:
    """Return a tool or retriever as a search, and a search as it is."""
    return ToolRetriever(one) if isinstance(one, BaseTool | BaseRetriever) else one


def _several(passed: OneSearch | Sequence[OneSearch]) -> Sequence[OneSearch]:
    return passed if isinstance(passed, Sequence) else [passed]


def _named(name: str, settings: RetrievalSettings, google: GoogleRetriever | None) -> Retriever:
    if name == "catalogue":
        return CatalogueRetriever()
    if name == "tavily":
        return _tavily(settings)
    if name == "google":
        if google is None:
            msg = "search google needs a Gemini model for the role web_retriever: --model google_genai:gemini-2.5-pro"
            raise SettingsError(msg)
        return google
    if ":" in name:
        return as_search(_imported(name))
    msg = f"search {name!r}: write google, tavily, catalogue, or package.module:Name; auto and none stand alone"
    raise SettingsError(msg)


def _tavily(settings: RetrievalSettings) -> TavilyRetriever:
    key = os.environ.get(KEY)
    if not key:
        msg = f"search tavily needs a key: set {KEY}, or choose --set retrieval=catalogue"
        raise SettingsError(msg)
    return TavilyRetriever(key, exclude_domains=settings.exclude_domains)


def _imported(name: str) -> BaseTool | BaseRetriever:
    """Return the tool or retriever that `package.module:Name` names; a class is made without arguments."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
        made = found() if isinstance(found, type) else found
    except Exception as error:  # a tool's package raises what it likes while it is imported and made
        said = " ".join(str(error).split())[:200]
        hint = ": pip install langchain-community" if module.startswith("langchain_community") else ""
        msg = f"search {name!r} cannot be made ({type(error).__name__}: {said}){hint}"
        raise SettingsError(msg) from error
    if not isinstance(made, BaseTool | BaseRetriever):
        msg = f"search {name!r} is a {type(made).__name__}: name a LangChain tool or retriever"
        raise SettingsError(msg)
    return made
