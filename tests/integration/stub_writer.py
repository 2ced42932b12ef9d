"""A server with the chat completions of OpenAI whose replies have a length, and whose model has limits."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from mlestar.llm.scripted import ROLE
from tests.integration.stub_server import LocalServer

INPUT_TOKENS = 1000
"""Tokens that the server counts for every prompt."""


@dataclass
class Writer(LocalServer):
    """Answers `answer(role, prompt)`, which takes `length(role)` tokens; a request that allows fewer is cut there."""

    answer: Callable[[str, str], str]
    length: Callable[[str], float] = lambda role: 100
    complete: bool = False
    """Replies end by themselves even where they are as long as the request allows."""
    refusal: Callable[[int], str] = lambda limit: ""
    """Returns the message of a 400 for a request that allows so many tokens; empty to answer."""
    code: str = ""
    """Code of such a refusal."""
    thinking: int = 0
    """Of the tokens of every reply."""
    seconds: float = 0.0
    """How long a reply takes."""
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def limits(self) -> list[int]:
        """What the requests allowed, in the order of arrival."""
        return [limit_of(request) for request in self.requests]

    def __post_init__(self) -> None:
        self._lock, self._pause = threading.Lock(), threading.Event()

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def post(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, object]:
        return self.reply(body)

    def reply(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        prompt, limit = str(body["messages"][-1]["content"]), limit_of(body)
        with self._lock:
            self.requests.append(body)
            if message := self.refusal(limit):
                return 400, {
                    "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}
                }
            match = ROLE.search(prompt)
            role = match.group(1) if match else ""
            text = self.answer(role, prompt)
        self._pause.wait(self.seconds)
        written = int(min(self.length(role), limit))
        reason = "length" if self.length(role) > limit and not self.complete else "stop"
        return 200, _completion(text, reason, written, min(self.thinking, written))


def limit_of(body: dict[str, Any]) -> int:
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000)


def _completion(text: str, reason: str, written: int, thinking: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": INPUT_TOKENS,
            "completion_tokens": written,
            "total_tokens": INPUT_TOKENS + written,
            "completion_tokens_details": {"reasoning_tokens": thinking},
        },
    }
