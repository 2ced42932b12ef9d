"""Messages of the Anthropic API."""

from typing import Any

from tests.integration.stub_server import Protocol


def _prompt(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return str(content if isinstance(content, str) else "".join(part["text"] for part in content))


def _answer(prompt: str, text: str, reason: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-stub",
        "content": [{"type": "text", "text": text}] if text else [],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": len(prompt) // 4,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 6,
            "output_tokens": len(text) // 4,
        },
    }


ANTHROPIC = Protocol(
    prompt=_prompt,
    normal=lambda text, body: _answer(_prompt(body), text),
    ends={
        "blocked": lambda prompt: _answer(prompt, "", "refusal"),
        "max_tokens": lambda prompt: _answer(prompt, "```python\nimport pan", "max_tokens"),
        "no_candidates": lambda prompt: _answer(prompt, ""),
    },
    error=lambda status, message: {"type": "error", "error": {"type": "stub", "message": message}},
)
