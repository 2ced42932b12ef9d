"""Google Search through a Gemini model: it searches, answers, and cites the pages that support each sentence."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from mlestar.agents.retriever import WEB_RETRIEVER
from mlestar.agents.script import FENCE, fenced
from mlestar.prompts import Prompts
from mlestar.state import Brief, Citation, ModelCard, StepFacts

SECTION_HEADING = re.compile(r"^#{1,4}\s+(.+?)\s*#*$", re.MULTILINE)
GOOGLE = "Google Search"
"""Source of a result that cites no page."""


class GroundedReply(Protocol):
    """An answer, why it cannot be relied on (empty when it can), and the pages that support it."""

    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def grounding(self) -> dict[str, Any] | None: ...


class GoogleRetriever:
    """Asks a Gemini model that may search; every section of its answer becomes a result with its citations."""

    name = "google"

    def __init__(self, ask: Callable[[str, str], Awaitable[GroundedReply]], prompts: Prompts) -> None:
        self._ask = ask
        self._prompts = prompts

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        role = WEB_RETRIEVER.name
        values = {"role": role, "brief": brief, "facts": StepFacts(), "track": 0, "attempt": 0, "refusal": ""}
        reply = await self._ask(role, self._prompts.render(WEB_RETRIEVER.prompt, **values, count=count))
        if reply.problem:
            raise ValueError(reply.problem)
        return read_sections(reply.text, reply.grounding or {})


def read_sections(text: str, grounding: Mapping[str, Any]) -> list[ModelCard]:
    """Return one result for each headed section of an answer; the whole answer as one when it has no headings."""
    headings = [heading for heading in SECTION_HEADING.finditer(text) if not _is_in_fence(text, heading.start())]
    if not headings:
        return [_result(f"{GOOGLE} results", text, _citations(text, 0, len(text), grounding))] if text.strip() else []
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    results: list[ModelCard] = []
    for heading, end in zip(headings, ends, strict=True):
        body = text[heading.end() : end]
        if body.strip():
            name = heading.group(1).strip("*_` ")
            results.append(_result(name, body, _citations(text, heading.start(), end, grounding)))
    return results


def _is_in_fence(text: str, position: int) -> bool:
    return any(fence.start() < position < fence.end() for fence in FENCE.finditer(text))


def _result(name: str, text: str, citations: tuple[Citation, ...]) -> ModelCard:
    return ModelCard(
        name=name,
        description=FENCE.sub("", text).strip(),
        example_code="\n".join(fenced(text, {"python", "py", ""})),
        source=citations[0].address if citations else GOOGLE,
        citations=citations,
    )


def _citations(text: str, start: int, end: int, grounding: Mapping[str, Any]) -> tuple[Citation, ...]:
    """Return the pages that support a part of the answer; the provider counts offsets in bytes."""
    first_byte, last_byte = len(text[:start].encode()), len(text[:end].encode())
    chunks = grounding.get("grounding_chunks") or []
    citations: dict[str, Citation] = {}
    for support in grounding.get("grounding_supports") or []:
        segment = support.get("segment") or {}
        if (segment.get("start_index") or 0) >= last_byte or (segment.get("end_index") or 0) <= first_byte:
            continue
        for index in support.get("grounding_chunk_indices") or []:
            page = (chunks[index].get("web") or {}) if 0 <= index < len(chunks) else {}
            if page.get("uri"):
                citations.setdefault(page["uri"], Citation(address=page["uri"], title=page.get("title") or ""))
    return tuple(citations.values())
