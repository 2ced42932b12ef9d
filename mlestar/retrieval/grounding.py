"""Google Retriever by a Gemini model: it searches, answers, and says which pages stand behind which sentence."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from mlestar.agents.retriever import WEB_RETRIEVER
from mlestar.agents.script import FENCE, fenced
from mlestar.prompts import Prompts
from mlestar.state import Brief, Citation, ModelCard

HEADING = re.compile(r"^#{1,4}\s+(.+?)\s*#*$", re.MULTILINE)
SOURCE = "Google Retriever"


class Grounded(Protocol):
    """An answer, why it cannot be relied on (empty when it can), and what it rests on."""

    @property
    def text(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def grounding(self) -> dict[str, Any] | None: ...


class GoogleRetriever:
    """Asks a Gemini model that may search; every section of its answer becomes a result with its citations."""

    name = "google"

    def __init__(self, ask: Callable[[str, str], Awaitable[Grounded]], prompts: Prompts) -> None:
        self._ask = ask
        self._prompts = prompts

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        role = WEB_RETRIEVER.name
        values = {"role": role, "brief": brief, "track": 0, "attempt": 0, "refusal": "", "count": count}
        answer = await self._ask(role, self._prompts.render(WEB_RETRIEVER.prompt, **values))
        if answer.problem:
            raise ValueError(answer.problem)
        return read_sections(answer.text, answer.grounding or {})


def read_sections(text: str, grounding: Mapping[str, Any]) -> list[ModelCard]:
    """Return one result for each headed section of an answer; all of it as one when nothing is headed."""
    heads = [head for head in HEADING.finditer(text) if not _within_fence(text, head.start())]
    if not heads:
        return [_result("Retriever results", text, _cited(text, 0, len(text), grounding))] if text.strip() else []
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [
        _result(head.group(1).strip("*_` "), text[head.end() : end], _cited(text, head.start(), end, grounding))
        for head, end in zip(heads, ends, strict=True)
        if text[head.end() : end].strip()
    ]


def _within_fence(text: str, place: int) -> bool:
    return any(fence.start() < place < fence.end() for fence in FENCE.finditer(text))


def _result(name: str, text: str, citations: tuple[Citation, ...]) -> ModelCard:
    return ModelCard(
        name=name,
        description=FENCE.sub("", text).strip(),
        example_code="\n".join(fenced(text, {"python", "py", ""})),
        source=citations[0].address if citations else SOURCE,
        citations=citations,
    )


def _cited(text: str, start: int, end: int, grounding: Mapping[str, Any]) -> tuple[Citation, ...]:
    """Return the pages behind a part of the answer; the provider counts offsets in bytes."""
    first, last = len(text[:start].encode()), len(text[:end].encode())
    chunks = grounding.get("grounding_chunks") or []
    cited: dict[str, Citation] = {}
    for support in grounding.get("grounding_supports") or []:
        segment = support.get("segment") or {}
        begins, ends = segment.get("start_index") or 0, segment.get("end_index") or 0
        if begins >= last or ends <= first:
            continue
        for index in support.get("grounding_chunk_indices") or []:
            page = (chunks[index].get("web") or {}) if 0 <= index < len(chunks) else {}
            if page.get("uri"):
                cited.setdefault(page["uri"], Citation(address=page["uri"], title=page.get("title") or ""))
    return tuple(cited.values())
