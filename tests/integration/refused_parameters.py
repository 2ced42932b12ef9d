"""Parameters that models refuse, as public issue threads quote the errors, and the models that send them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI

from tests.integration.provider_errors import ANTHROPIC, OLLAMA, OPENAI, Row, anthropic_error, openai_error
from tests.integration.stub_gemini import MODEL


@dataclass(frozen=True)
class Refusal:
    """A refused parameter."""

    row: Row
    model: Callable[[str], BaseChatModel]
    """Takes the address of the stub; returns a model that sends the parameter."""
    path: tuple[str, ...]
    """Where the request has it."""
    renamed: str = ""
    """The name by which it is sent from then on; empty when it is left out."""


def sends(body: dict[str, Any], *path: str) -> object:
    """Return what a request has at a path; None when it has nothing there."""
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def openai(url: str, **options: Any) -> BaseChatModel:
    return ChatOpenAI(model="gpt-stub", base_url=f"{url}/v1", api_key="k", max_retries=0, **options)


def old_openai(url: str) -> BaseChatModel:
    """Return a model of a client that sends `max_tokens`, as those of several compatible providers do."""
    return BaseChatOpenAI(model="gpt-stub", base_url=f"{url}/v1", api_key="k", max_retries=0, max_tokens=1000)


def anthropic(url: str, **options: Any) -> BaseChatModel:
    return ChatAnthropic(model="claude-stub", base_url=url, api_key="k", max_retries=0, max_tokens=9000, **options)


def gemini(url: str, **options: Any) -> BaseChatModel:
    return ChatGoogleGenerativeAI(model="gemini-2.5-pro", base_url=url, api_key="k", max_retries=1, **options)


def google_invalid(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


BUDGET = {"type": "enabled", "budget_tokens": 4000}
UNSUPPORTED = (
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
)

REFUSALS = (
    Refusal(
        Row(
            "https://github.com/holoviz/lumen/pull/1087",
            OPENAI,
            400,
            openai_error(UNSUPPORTED, "invalid_request_error", "unsupported_value", "temperature"),
        ),
        lambda url: openai(url, temperature=0.2),
        ("temperature",),
    ),
    Refusal(
        Row(
            "https://github.com/XCNXNXNX/dsh-portable-tavern/issues/1",
            OPENAI,
            400,
            {"message": "invalid temperature: only 1 is allowed for this model", "type": "invalid_request_error"},
        ),
        lambda url: openai(url, temperature=0.2),
        ("temperature",),
    ),
    Refusal(
        Row(
            "https://github.com/davidmigloz/langchain_dart/issues/712",
            OPENAI,
            400,
            openai_error("Unrecognized request argument supplied: reasoning_effort", "invalid_request_error"),
        ),
        lambda url: openai(url, reasoning_effort="high"),
        ("reasoning_effort",),
    ),
    Refusal(
        Row(
            "https://github.com/griptape-ai/ComfyUI-Griptape/issues/312",
            OPENAI,
            400,
            openai_error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
                "instead.",
                "invalid_request_error",
                "unsupported_parameter",
                "max_tokens",
            ),
        ),
        old_openai,
        ("max_tokens",),
        renamed="max_completion_tokens",
    ),
    Refusal(
        Row(
            "https://github.com/caozhiyuan/copilot-api/issues/164",
            OPENAI,
            400,
            {
                "error": {
                    "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                    "'max_completion_tokens' instead.",
                    "code": "invalid_request_body",
                }
            },
        ),
        old_openai,
        ("max_tokens",),
        renamed="max_completion_tokens",
    ),
    Refusal(
        Row(
            "https://github.com/editor-code-assistant/eca/issues/231",
            OPENAI,
            422,
            {
                "object": "error",
                "message": {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "max_completion_tokens"],
                            "msg": "Extra inputs are not permitted",
                            "input": 32000,
                        }
                    ]
                },
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        ),
        lambda url: openai(url, max_tokens=1000),
        ("max_completion_tokens",),
        renamed="max_tokens",
    ),
    Refusal(
        Row(
            "https://github.com/voideditor/void/issues/128",
            OPENAI,
            400,
            {
                "object": "error",
                "message": "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra "
                "inputs "
                "are not permitted', 'input': 8192}]",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        lambda url: openai(url, max_tokens=1000),
        ("max_completion_tokens",),
        renamed="max_tokens",
    ),
    Refusal(
        Row(
            "https://github.com/egoist/chatwise-releases/issues/1348",
            ANTHROPIC,
            400,
            anthropic_error("invalid_request_error", "`temperature` may only be set to 1 when thinking is enabled."),
        ),
        lambda url: anthropic(url, temperature=0.2, thinking=BUDGET),
        ("temperature",),
    ),
    Refusal(
        Row(
            "https://github.com/RooCodeInc/Roo-Code/issues/4399",
            MODEL,
            400,
            google_invalid("The thinking budget (52428) is invalid."),
        ),
        lambda url: gemini(url, thinking_budget=52428),
        ("generationConfig", "thinkingConfig", "thinking_budget"),
    ),
    Refusal(
        Row(
            "https://github.com/pydantic/pydantic-ai/issues/1967",
            MODEL,
            400,
            google_invalid("Unable to submit request because Thinking can't be disabled for this model."),
        ),
        lambda url: gemini(url, thinking_budget=0),
        ("generationConfig", "thinkingConfig", "thinking_budget"),
    ),
    Refusal(
        Row(
            "https://github.com/Gitlawb/openclaude/issues/1371",
            OLLAMA,
            400,
            {"error": '"llama3.1:8b" does not support thinking'},
        ),
        lambda url: ChatOllama(model="llama-stub", base_url=url, reasoning=True),
        ("think",),
    ),
)
