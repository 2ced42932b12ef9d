"""Any LangChain tool or retriever as a search."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool

from mlestar.agents.script import fenced
from mlestar.retrieval.query import query_for
from mlestar.state import Brief, Citation, ModelCard

TITLES = ("title", "Title", "name", "heading")
TEXTS = ("content", "snippet", "summary", "Summary", "body", "description", "page_content", "text")
ADDRESSES = ("url", "link", "source", "href", "entry_id", "Entry ID")
QUERIES = ("query", "q", "search_query", "input", "question", "tool_input")
"""What tools call these things."""


class ToolRetriever:
    """Asks a LangChain tool or retriever, and reads what it returns: documents, records, JSON or plain text."""

    def __init__(self, tool: BaseTool | BaseRetriever, *, seconds: float = 60) -> None:
        self.name = getattr(tool, "name", None) or type(tool).__name__
        self._tool = tool
        self._seconds = seconds

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        query = query_for(brief)
        asked: Any = query if isinstance(self._tool, BaseRetriever) else _arguments(self._tool, query)
        return read_results(await asyncio.wait_for(self._tool.ainvoke(asked), self._seconds), str(self.name))


def _arguments(tool: BaseTool, query: str) -> str | dict[str, str]:
    """Return the query under the name by which a tool takes it."""
    name = next((name for name in QUERIES if name in tool.args), None)
    return {name: query} if name else query


def read_results(found: Any, name: str) -> list[ModelCard]:
    """Return results from whatever a tool returned."""
    if isinstance(found, str):
        loaded = _load(found)
        return read_results(loaded, name) if loaded is not None else _from_text(found, name)
    if isinstance(found, tuple) and found:
        return read_results(found[0], name)
    if isinstance(found, Mapping):
        inner = found.get("results", found.get("items"))
        return read_results(inner, name) if isinstance(inner, list) else [_from_record(found, name)]
    if isinstance(found, Sequence):
        return [card for item in found for card in _from_item(item, name)]
    return _from_text(str(getattr(found, "content", found)), name)


def _from_item(item: Any, name: str) -> list[ModelCard]:
    if isinstance(item, Document):
        return [_from_record({**item.metadata, "content": item.page_content}, name)]
    if isinstance(item, Mapping):
        return [_from_record(item, name)]
    return _from_text(str(item), name)


def _from_record(record: Mapping[str, Any], name: str) -> ModelCard:
    text, address = _first(record, TEXTS), _first(record, ADDRESSES)
    title = _first(record, TITLES) or text.strip().split("\n")[0][:80]
    return ModelCard(
        name=title,
        description=text,
        example_code="\n".join(fenced(text, {"python", "py"})),
        source=address or name,
        citations=(Citation(address=address, title=title),) if address else (),
    )


def _from_text(text: str, name: str) -> list[ModelCard]:
    if not text.strip():
        return []
    code = "\n".join(fenced(text, {"python", "py"}))
    return [ModelCard(name=f"results of {name}", description=text, example_code=code, source=name)]


def _first(record: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(record[name]) for name in names if record.get(name)), "")


def _load(text: str) -> Any:
    """Return the records of a JSON text, None when it is none."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
