"""Which chat model answers: by name, by the keys that are set, or the offline engineer."""

import importlib.util
import os
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel

from mlestar.errors import SettingsError

PROVIDER_KEYS = {
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
}
"""Providers in order of preference, and the environment variables that hold their keys."""

DEFAULT_MODELS = {
    "google_genai": "gemini-2.5-pro",
    "openai": "gpt-5.1",
    "anthropic": "claude-sonnet-4-5",
}

PACKAGES = {
    "google_genai": "langchain_google_genai",
    "google_vertexai": "langchain_google_vertexai",
    "openai": "langchain_openai",
    "anthropic": "langchain_anthropic",
    "ollama": "langchain_ollama",
}


@dataclass(frozen=True)
class ChosenModel:
    """A chat model, its name, and why it was chosen."""

    model: BaseChatModel
    name: str
    why: str
    trusted: bool
    """The scripts it writes come from this package's own recipes."""


def choose_model(
    name: str | None, *, base_url: str | None = None, temperature: float = 0.7, max_tokens: int | None = None
) -> ChosenModel:
    """Return the named model, or the first provider whose key is set, or the offline engineer.

    `max_tokens` bounds one reply, so that what a call may cost is known before it is made.

    Raises:
        SettingsError: the provider is unknown, its package is not installed or its key is not set.
    """
    why = "it was asked for"
    if not name:
        name, why = _by_keys()
    if name == "offline":
        from mlestar.models.offline import OfflineEngineer

        return ChosenModel(OfflineEngineer(), "offline", why, trusted=True)
    return ChosenModel(_provider_model(name, base_url, temperature, max_tokens), name, why, trusted=False)


def wrap_model(model: BaseChatModel) -> ChosenModel:
    """Return a model that the caller passed in, named by its class and model name."""
    name = getattr(model, "model_name", None) or getattr(model, "model", None) or type(model).__name__
    return ChosenModel(model, str(name), "it was passed in", trusted=False)


def _by_keys() -> tuple[str, str]:
    for provider, variables in PROVIDER_KEYS.items():
        key = next((variable for variable in variables if os.environ.get(variable)), None)
        if key and importlib.util.find_spec(PACKAGES[provider]):
            return f"{provider}:{DEFAULT_MODELS[provider]}", f"{key} is set"
    return "offline", "no provider key is set; set GOOGLE_API_KEY or pass --model provider:name for a language model"


def _provider_model(name: str, base_url: str | None, temperature: float, max_tokens: int | None) -> BaseChatModel:
    provider, _, model = name.partition(":")
    if not model or provider not in PACKAGES:
        msg = f"model {name!r}: write `offline` or `provider:name` with one of the providers {', '.join(PACKAGES)}"
        raise SettingsError(msg)
    if not importlib.util.find_spec(PACKAGES[provider]):
        msg = f"model {name!r} needs a package: pip install {PACKAGES[provider].replace('_', '-')}"
        raise SettingsError(msg)
    variables = PROVIDER_KEYS.get(provider, ())
    if variables and not base_url and not any(os.environ.get(variable) for variable in variables):
        msg = f"model {name!r} needs a key: set {' or '.join(variables)}, or choose --model offline"
        raise SettingsError(msg)
    from langchain.chat_models import init_chat_model

    given: dict[str, Any] = {"temperature": temperature, "base_url": base_url, "max_tokens": max_tokens}
    made: BaseChatModel = init_chat_model(name, **{key: value for key, value in given.items() if value is not None})
    return made
