"""Chat completions of OpenAI and compatible servers."""

from typing import Any

from tests.integration.stub_server import Protocol


def _prompt(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def _answer(prompt: str, text: str, reason: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return _envelope(prompt, text, [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}])


def _envelope(prompt: str, text: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    read, written = len(prompt) // 4, len(text) // 4
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-stub",
        "choices": choices,
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": written + 5,
            "total_tokens": read + written + 5,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    }


OPENAI = Protocol(
    prompt=_prompt,
    normal=lambda text, body: _answer(_prompt(body), text),
    ends={
        "blocked": lambda prompt: _answer(prompt, "", "content_filter"),
        "max_tokens": lambda prompt: _answer(prompt, "```python\nimport pan", "length"),
        "no_candidates": lambda prompt: _envelope(prompt, "", []),
    },
    error=lambda status, message: {"error": {"message": message, "type": "stub", "param": None, "code": None}},
)
