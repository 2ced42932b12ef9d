"""The part of the Gemini API that `langchain-google-genai` uses, with grounding in Google Search."""

from typing import Any

from mlestar.retrieval.entries import ENTRIES
from tests.integration.stub_server import Protocol

MODEL = "google_genai:gemini-2.5-pro"
"""Name of the model in settings; the package lists its price."""
NAMES = tuple(entry.name for entry in ENTRIES if "table" in entry.modalities)
PAGES = tuple((f"http://pages.invalid/{number}", f"page{number}.invalid") for number, _ in enumerate(NAMES))
"""Address and title of the page that supports each section of a grounded answer."""


def _section(name: str) -> str:
    entry = next(entry for entry in ENTRIES if entry.name == name)
    return f"## {name}\n{entry.description} \u2013 says the page.\n\n```python\n{entry.classes}```\n"


GROUNDED = "\n".join(map(_section, NAMES))
"""The answer of a model that searched: the cards of the catalogue, so that a run is comparable with one offline."""


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


def _normal_answer(text: str, body: dict[str, Any]) -> dict[str, Any]:
    if any("googleSearch" in tool for tool in body.get("tools", ())):
        return _answer(_prompt(body), GROUNDED, groundingMetadata=_grounding())
    return _answer(_prompt(body), text)


def _grounding() -> dict[str, Any]:
    """Return which page supports which sentence; offsets count bytes, as in the API."""
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
    normal=_normal_answer,
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
