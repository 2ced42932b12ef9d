"""How much a model thinks: one setting, in the arguments of each provider."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel

from mlestar.errors import SettingsError

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""Thinking tokens of a level, for models that take a number. Source: Google's table for its OpenAI-compatible API."""
LEVELS = ("none", *BUDGETS, "xhigh", "max")
"""All levels that some provider has."""
Arguments = dict[str, Any]


def effort_arguments(name: str, provider: str, model: BaseChatModel, effort: str) -> Arguments:
    """Return the arguments with which a model thinks this much.

    Args:
        name: of the model, as in the settings.
        provider: of the model.
        model: made without them; its profile lists the levels that it knows.
        effort: a level, or a number of thinking tokens.

    Raises:
        SettingsError: the model or its provider cannot be asked for it.
    """
    if effort not in LEVELS and not effort.isdecimal():
        msg = f"setting effort: {effort!r} is not a level: write one of {', '.join(LEVELS)}, or a number of tokens"
        raise SettingsError(msg)
    levels: Sequence[str] = (getattr(model, "profile", None) or {}).get("reasoning_effort_levels") or ()
    if levels and not effort.isdecimal() and effort not in levels:
        msg = f"setting effort: {name} knows the levels {', '.join(levels)}, not {effort!r}"
        raise SettingsError(msg)
    if effort.isdecimal() or not levels:
        arguments = BY_PROVIDER.get(provider, _by_field)(model, effort)
    else:
        arguments = _by_field(model, effort)
    if arguments is None:
        msg = f"setting effort: {name} cannot be asked to think {effort}; remove its roles from effort"
        raise SettingsError(msg)
    return arguments


def _by_field(model: BaseChatModel, effort: str) -> Arguments | None:
    """Return the level as LangChain's common argument; None where the class has none."""
    known = "reasoning_effort" in type(model).model_fields
    return {"reasoning_effort": effort} if known and not effort.isdecimal() else None


def _anthropic(model: BaseChatModel, effort: str) -> Arguments | None:
    """Return a thinking budget; a model that thinks samples at its own temperature."""
    tokens = _tokens(effort)
    if tokens == 0:
        return {}
    return None if tokens is None else {"thinking": {"type": "enabled", "budget_tokens": tokens}, "temperature": None}


def _google(model: BaseChatModel, effort: str) -> Arguments | None:
    tokens = _tokens(effort)
    return None if tokens is None else {"thinking_budget": tokens}


def _ollama(model: BaseChatModel, effort: str) -> Arguments | None:
    """Return whether the model thinks; only some take a level, and those refuse a switch."""
    if effort.isdecimal():
        return None
    takes_level = "gpt-oss" in str(getattr(model, "model", ""))
    return {"reasoning": effort if takes_level else effort != "none"}


def _openrouter(model: BaseChatModel, effort: str) -> Arguments | None:
    return {"reasoning": {"max_tokens": int(effort)} if effort.isdecimal() else {"effort": effort}}


def _tokens(effort: str) -> int | None:
    """Return the thinking tokens of an effort; None for a level that has no number."""
    if effort.isdecimal():
        return int(effort)
    return 0 if effort == "none" else BUDGETS.get(effort)


BY_PROVIDER: Mapping[str, Callable[[BaseChatModel, str], Arguments | None]] = {
    "anthropic": _anthropic,
    "google_genai": _google,
    "google_vertexai": _google,
    "ollama": _ollama,
    "openrouter": _openrouter,
}
"""How a provider's models are asked when their profile lists no levels."""
