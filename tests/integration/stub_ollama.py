"""The chat API of Ollama, which streams lines of JSON; here one line is a whole answer."""

from typing import Any

from tests.integration.stub_server import Protocol


def _prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _answer(prompt: str, text: str, reason: str = "stop") -> dict[str, Any]:
    return {
        "model": "stub",
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": reason,
        "prompt_eval_count": len(prompt) // 4,
        "eval_count": len(text) // 4,
    }


def description(context_length: int) -> dict[str, dict[str, Any]]:
    """Return what the server says of its model."""
    information = {"general.architecture": "llama", "llama.context_length": context_length}
    return {"/api/show": {"model_info": information, "capabilities": ["completion"]}}


OLLAMA = Protocol(
    prompt=_prompt,
    normal=lambda text, body: _answer(_prompt(body), text),
    ends={
        "blocked": lambda prompt: _answer(prompt, ""),
        "max_tokens": lambda prompt: _answer(prompt, "```python\nimport pan", "length"),
        "no_candidates": lambda prompt: _answer(prompt, ""),
    },
    error=lambda status, message: {"error": message},
    pages=description(131_072),
)
