"""Any LangChain tool or retriever as a retriever."""

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

TITLE_FIELDS = ("title", "Title", "name", "heading")
TEXT_FIELDS = ("content", "snippet", "summary", "Summary", "body", "description", "page_content", "text")
ADDRESS_FIELDS = ("url", "link", "source", "href", "entry_id", "Entry ID")
QUERY_ARGUMENTS = ("query", "q", "search_query", "input", "question", "tool_input")
"""Names that tools use for these fields and arguments."""


class ToolRetriever:
    """Asks a LangChain tool or retriever, and reads what it returns: documents, records, JSON or plain text."""

    def __init__(self, tool: BaseTool | BaseRetriever, *, seconds: float = 60) -> None:
        self.name = getattr(tool, "name", None) or type(tool).__name__
        self._tool = tool
        self._seconds = seconds

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        query = query_for(brief)
        arguments: Any = query if isinstance(self._tool, BaseRetriever) else _arguments(self._tool, query)
        value = await asyncio.wait_for(self._tool.ainvoke(arguments), self._seconds)
        return read_results(value, str(self.name))


def _arguments(tool: BaseTool, query: str) -> str | dict[str, str]:
    """Return the query under the name by which a tool takes it."""
    name = next((name for name in QUERY_ARGUMENTS if name in tool.args), None)
    return {name: query} if name else query


def read_results(value: Any, name: str) -> list[ModelCard]:
    """Return the results in the value that a tool returned."""
    if isinstance(value, str):
        records = _load(value)
        return _from_text(value, name) if records is None else read_results(records, name)
    if isinstance(value, tuple) and value:
        return read_results(value[0], name)
    if isinstance(value, Mapping):
        inner = value.get("results", value.get("items"))
        return read_results(inner, name) if isinstance(inner, list) else [_from_record(value, name)]
    if isinstance(value, Sequence):
        return [card for item in value for card in _from_item(item, name)]
    return _from_text(str(getattr(value, "content", value)), name)


def _from_item(item: Any, name: str) -> list[ModelCard]:
    if isinstance(item, Document):
        return [_from_record({**item.metadata, "content": item.page_content}, name)]
    if isinstance(item, Mapping):
        return [_from_record(item, name)]
    return _from_text(str(item), name)


def _from_record(record: Mapping[str, Any], name: str) -> ModelCard:
    text, address = _first(record, TEXT_FIELDS), _first(record, ADDRESS_FIELDS)
    title = _first(record, TITLE_FIELDS) or text.strip().split("\n")[0][:80]
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
    """Return the records of a JSON text, None when it is not JSON."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
