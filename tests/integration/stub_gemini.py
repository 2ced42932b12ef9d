"""The Gemini API as far as `langchain-google-genai` speaks it, Google Search grounding included."""

from typing import Any

from mlestar.retrieval.entries import ENTRIES
from tests.integration.stub_server import Protocol

NAMES = tuple(entry.name for entry in ENTRIES if "table" in entry.modalities)
PAGES = tuple((f"http://pages.invalid/{number}", f"page{number}.invalid") for number, _ in enumerate(NAMES))
"""Address and title of the page behind each section of a grounded answer."""


def _section(name: str) -> str:
    entry = next(entry for entry in ENTRIES if entry.name == name)
    return f"## {name}\n{entry.description} \u2013 so it says.\n\n```python\n{entry.classes}```\n"


GROUNDED = "\n".join(map(_section, NAMES))
"""What the model says that searched: the catalogue's own cards, so that a run can be compared with one without."""


def _prompt(body: dict[str, Any]) -> str:
    return str(body["contents"][-1]["parts"][0]["text"])


def _usage(read: str, written: str) -> dict[str, Any]:
    tokens, answer = len(read) // 4, len(written) // 4
    return {
        "promptTokenCount": tokens,
        "candidatesTokenCount": answer,
        "thoughtsTokenCount": 7,
        "cachedContentTokenCount": 3,
        "totalTokenCount": tokens + answer + 7,
    }


def _answer(prompt: str, text: str, reason: str = "STOP", **more: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    return {
        "candidates": [{"content": content, "finishReason": reason, "index": 0, **more}],
        "usageMetadata": _usage(prompt, text),
        "modelVersion": "gemini-2.5-pro",
    }


def _says(text: str, body: dict[str, Any]) -> dict[str, Any]:
    if any("googleSearch" in tool for tool in body.get("tools", ())):
        return _answer(_prompt(body), GROUNDED, groundingMetadata=_grounding())
    return _answer(_prompt(body), text)


def _grounding() -> dict[str, Any]:
    """Return which page stands behind which sentence; offsets count bytes, as the API's do."""
    supports = []
    for page, name in enumerate(NAMES):
        sentence = _section(name).splitlines()[1]
        start = len(GROUNDED[: GROUNDED.index(sentence)].encode())
        segment = {"startIndex": start, "endIndex": start + len(sentence.encode()), "text": sentence}
        supports.append({"segment": segment, "groundingChunkIndices": [page]})
    return {
        "webSearchQueries": ["best model for tables"],
        "groundingChunks": [{"web": {"uri": uri, "title": title}} for uri, title in PAGES],
        "groundingSupports": supports,
    }


def _error(status: int, message: str) -> dict[str, Any]:
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    words |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
    return {"error": {"code": status, "message": message, "status": words[status]}}


GEMINI = Protocol(
    prompt=_prompt,
    says=_says,
    ends={
        "blocked": lambda prompt: {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        },
        "max_tokens": lambda prompt: _answer(prompt, "```python\nimport pan", "MAX_TOKENS"),
        "no_candidates": lambda prompt: {"candidates": [], "usageMetadata": _usage(prompt, "")},
    },
    error=_error,
)
