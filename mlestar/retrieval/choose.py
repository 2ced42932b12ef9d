"""Which retrievers are asked, in which order."""

import importlib
import logging
import os
from collections.abc import Awaitable, Callable, Sequence

from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool

from mlestar.errors import SettingsError, mask_secrets
from mlestar.prompts import Prompts
from mlestar.retrieval.catalogue import CatalogueRetriever
from mlestar.retrieval.exclusion import Exclusion
from mlestar.retrieval.grounding import GoogleRetriever, GroundedReply
from mlestar.retrieval.sources import Retrieval, Retriever
from mlestar.retrieval.tavily import TavilyRetriever
from mlestar.retrieval.tools import ToolRetriever
from mlestar.settings import RetrievalSettings

logger = logging.getLogger("mlestar.retrieval")

Ground = Callable[[str, str], Awaitable[GroundedReply]]
"""Asks a model that may search the web: takes role and prompt."""
RetrieverLike = Retriever | BaseTool | BaseRetriever
RetrieversLike = RetrieverLike | Sequence[RetrieverLike] | None
"""What a caller may pass in: a retriever, a LangChain tool or retriever, or several of them."""
TAVILY_KEY = "TAVILY_API_KEY"


def choose_retrieval(
    settings: RetrievalSettings,
    passed: RetrieversLike = None,
    *,
    ground: Ground | None = None,
    prompts: Prompts | None = None,
    names: Sequence[str] = (),
) -> Retrieval:
    """Return the retrievers of a run, followed by the catalogue unless there are to be none.

    Args:
        settings: the configured sources and what is left out.
        passed: retrievers that a caller passed in; they take precedence over the settings.
        ground: asks a Gemini model that may search; None when there is no such model.
        prompts: for the Gemini model.
        names: of the task.

    Raises:
        SettingsError: a source is unknown, or a model or key that it needs is missing.
    """
    task_names = names if settings.exclude_competition else ()
    exclusion = Exclusion(settings.exclude_domains, settings.exclude_terms, task_names)
    if passed is None and settings.sources == ("none",):
        return Retrieval([], exclusion)
    steps = _passed_steps(passed) if passed is not None else _configured_steps(settings, ground, prompts)
    has_catalogue = any(isinstance(retriever, CatalogueRetriever) for step in steps for retriever in step)
    if not has_catalogue:
        steps = [*steps, [CatalogueRetriever()]]
    retrieval = Retrieval(steps, exclusion)
    logger.debug("retrieval: %s", retrieval.title)
    return retrieval


def as_retriever(one: RetrieverLike) -> Retriever:
    """Return a LangChain tool or retriever as a retriever of ours, and one of ours unchanged."""
    return ToolRetriever(one) if isinstance(one, BaseTool | BaseRetriever) else one


def _passed_steps(passed: RetrieverLike | Sequence[RetrieverLike]) -> list[list[Retriever]]:
    several = passed if isinstance(passed, Sequence) else [passed]
    return [[as_retriever(one) for one in several]]


def _configured_steps(
    settings: RetrievalSettings, ground: Ground | None, prompts: Prompts | None
) -> list[list[Retriever]]:
    google = GoogleRetriever(ground, prompts or Prompts()) if ground else None
    if settings.sources != ("auto",):
        return [[_by_name(name, settings, google) for name in settings.sources]]
    steps: list[list[Retriever]] = []
    if google:
        steps.append([google])
    if os.environ.get(TAVILY_KEY):
        steps.append([_tavily(settings)])
    return steps


def _by_name(name: str, settings: RetrievalSettings, google: GoogleRetriever | None) -> Retriever:
    if name == "catalogue":
        return CatalogueRetriever()
    if name == "tavily":
        return _tavily(settings)
    if name == "google":
        if google is None:
            msg = (
                "retrieval google needs a Gemini model for the role web_retriever: --model google_genai:gemini-2.5-pro"
            )
            raise SettingsError(msg)
        return google
    if ":" in name:
        return as_retriever(_import_tool(name))
    msg = f"retrieval {name!r}: write google, tavily, catalogue or package.module:Name, or one of auto and none alone"
    raise SettingsError(msg)


def _tavily(settings: RetrievalSettings) -> TavilyRetriever:
    key = os.environ.get(TAVILY_KEY)
    if not key:
        msg = f"retrieval tavily needs a key: set {TAVILY_KEY}, or choose --set retrieval=catalogue"
        raise SettingsError(msg)
    return TavilyRetriever(key, exclude_domains=settings.exclude_domains)


def _import_tool(name: str) -> BaseTool | BaseRetriever:
    """Return the tool or retriever that `package.module:Name` names; a class is called without arguments."""
    module, _, attribute = name.partition(":")
    try:
        value = getattr(importlib.import_module(module), attribute)
        tool = value() if isinstance(value, type) else value
    except Exception as error:  # a tool's package may raise any exception while it is imported and made
        message = " ".join(mask_secrets(str(error)).split())[:200]
        hint = ": pip install langchain-community" if module.startswith("langchain_community") else ""
        msg = f"retrieval {name!r} cannot be made ({type(error).__name__}: {message}){hint}"
        raise SettingsError(msg) from error
    if not isinstance(tool, BaseTool | BaseRetriever):
        msg = f"retrieval {name!r} is a {type(tool).__name__}: name a LangChain tool or retriever"
        raise SettingsError(msg)
    return tool
