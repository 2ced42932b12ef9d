"""Providers of chat models, and how a model of each is made from its name."""

import importlib.util
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic.fields import FieldInfo

from mlestar.errors import SettingsError, mask_secrets, nearest
from mlestar.llm.speed import MAX_STRETCH
from mlestar.settings import Settings


@dataclass(frozen=True)
class Provider:
    """What is needed to reach a provider."""

    package: str
    keys: tuple[str, ...] = ()
    """Environment variables that hold its key."""
    default_model: str = ""
    """Model that is used when a key is set and no model is named."""
    no_retries: Mapping[str, Any] = field(default_factory=dict)
    """Arguments with which its client sends a request once: `Transport` retries."""
    default_retries: int = 0
    """Retries of a client that was made without those arguments."""
    timeout: Callable[[float], dict[str, Any]] = lambda seconds: {"timeout": seconds}
    """Arguments with which its client itself gives up: as late as any call may last. `Transport` has the limits."""
    max_tokens: str = "max_tokens"
    """Argument that bounds the tokens of a reply."""
    langchain_name: str = ""
    """Name by which LangChain loads it, when that is another."""


GOOGLE_DIRECT = {"client_args": {"follow_redirects": False}}
"""Its client sends the key and the prompt again to whatever host an answer redirects to."""
PROVIDERS = {
    "google_genai": Provider(
        "langchain_google_genai",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "gemini-2.5-pro",
        no_retries={"max_retries": 1, **GOOGLE_DIRECT},  # this client counts requests
        default_retries=5,
    ),
    "openai": Provider(
        "langchain_openai",
        ("OPENAI_API_KEY",),
        "gpt-5.1",
        no_retries={"max_retries": 0},
        default_retries=2,
    ),
    "anthropic": Provider(
        "langchain_anthropic",
        ("ANTHROPIC_API_KEY",),
        "claude-sonnet-4-6",
        no_retries={"max_retries": 0},
        default_retries=2,
    ),
    "google_vertexai": Provider(
        "langchain_google_genai",
        no_retries={"max_retries": 1, "vertexai": True, **GOOGLE_DIRECT},
        default_retries=5,
        langchain_name="google_genai",
    ),
    "ollama": Provider(
        "langchain_ollama",
        timeout=lambda seconds: {"client_kwargs": {"timeout": seconds, "follow_redirects": False}},
        max_tokens="num_predict",
    ),
    "groq": Provider("langchain_groq", ("GROQ_API_KEY",), no_retries={"max_retries": 0}, default_retries=2),
    "mistralai": Provider(
        "langchain_mistralai",
        ("MISTRAL_API_KEY",),
        no_retries={"max_retries": 1},  # this client counts requests
        default_retries=4,
        timeout=lambda seconds: {"timeout": math.ceil(seconds)},
    ),
    "openrouter": Provider(
        "langchain_openrouter",
        ("OPENROUTER_API_KEY",),
        no_retries={"max_retries": 0},
        default_retries=2,
        timeout=lambda seconds: {"timeout": math.ceil(seconds * 1000)},  # in milliseconds
    ),
}
"""Providers whose arguments are known here; those with a default model are in order of preference.

Any other provider that LangChain's `init_chat_model` knows works as well, with plain arguments."""
GEMINI = ("google_genai", "google_vertexai")
"""Providers whose models can ground an answer in Google Search."""
ALIASES = {"gemini": "google_genai", "google": "google_genai", "azure": "azure_openai", "aws": "bedrock_converse"}
"""What people write for a provider that LangChain calls by another name."""
PIP_INSTALL = re.compile(r"pip install (?:-U )?([\w.-]+)")


def make_model(
    name: str,
    temperature: float | None,
    settings: Settings,
    base_url: str | None,
    further: Mapping[str, Any] | None = None,
) -> BaseChatModel:
    """Return the model that `provider:name` names.

    Args:
        name: of provider and model.
        temperature: None for a model that takes none.
        settings: time limit and token limit.
        base_url: address of the API; None for the provider's own.
        further: arguments of its class, which take precedence.

    Raises:
        SettingsError: the provider is unknown, its package or key is missing, or its client refuses the arguments.
    """
    provider, _, model = name.partition(":")
    if not model:
        msg = f"model {name!r}: write `offline` or `provider:name` with one of the providers {', '.join(PROVIDERS)}"
        raise SettingsError(msg)
    if provider in PROVIDERS:
        return _make_listed(name, PROVIDERS[provider], temperature, settings, base_url, further or {})
    return _make_unlisted(name, temperature, settings, base_url, further or {})


def first_with_key() -> tuple[str, str]:
    """Return the model of the first provider whose key is set, and why; the offline engineer when there is none."""
    missing_package = ""
    for name, provider in PROVIDERS.items():
        if not provider.default_model:
            continue
        key = next((variable for variable in provider.keys if os.environ.get(variable)), None)
        if key and importlib.util.find_spec(provider.package):
            return f"{name}:{provider.default_model}", f"{key} is set"
        if key and not missing_package:
            missing_package = f"{key} is set, but {provider.package} is not installed: {_install(provider)}"
    advice = "set GOOGLE_API_KEY or pass --model provider:name for a language model"
    return "offline", missing_package or f"no provider key is set; {advice}"


def _make_listed(
    name: str,
    provider: Provider,
    temperature: float | None,
    settings: Settings,
    base_url: str | None,
    further: Mapping[str, Any],
) -> BaseChatModel:
    if not importlib.util.find_spec(provider.package):
        msg = f"model {name!r} needs a package: {_install(provider)}"
        raise SettingsError(msg)
    arguments: dict[str, Any] = {**provider.no_retries, **provider.timeout(settings.model_seconds * MAX_STRETCH)}
    arguments[provider.max_tokens] = settings.max_output_tokens
    if base_url:
        arguments["base_url"] = base_url
    if temperature is not None:
        arguments["temperature"] = temperature
    if provider.keys:
        arguments["api_key"] = _key(name, provider, base_url)
    arguments.update(further)
    return _init(name, provider.langchain_name, {key: value for key, value in arguments.items() if value is not None})


def _make_unlisted(
    name: str, temperature: float | None, settings: Settings, base_url: str | None, further: Mapping[str, Any]
) -> BaseChatModel:
    """Return a model of a provider that only LangChain knows, with those plain arguments that its class accepts."""
    arguments = {
        "temperature": temperature,
        "timeout": settings.model_seconds * MAX_STRETCH,
        "max_tokens": settings.max_output_tokens,
        "base_url": base_url,
        **further,
    }
    # Made once to learn its class: LangChain has no public way to ask for it.
    model_class = type(_init(name, "", {"base_url": base_url} if base_url else {}))
    fields = model_class.model_fields
    accepted = {*fields, *(field.alias for field in fields.values())}
    if not _takes_fractions(fields):
        arguments["timeout"] = math.ceil(settings.model_seconds * MAX_STRETCH)
    if base_url and "base_url" not in accepted:
        msg = f"model {name!r}: its class {model_class.__name__} takes no base_url"
        raise SettingsError(msg)
    return _init(name, "", {key: value for key, value in arguments.items() if value is not None and key in accepted})


def _takes_fractions(fields: Mapping[str, FieldInfo]) -> bool:
    """Return whether a class takes a time limit that is not a whole number."""
    field = next((field for name, field in fields.items() if "timeout" in (name, field.alias)), None)
    return field is None or field.annotation not in (int, int | None)


def _init(name: str, langchain_name: str, arguments: Mapping[str, Any]) -> BaseChatModel:
    """Return the model that LangChain makes; its errors become one line."""
    from langchain.chat_models import init_chat_model

    provider, _, model = name.partition(":")
    try:
        chat_model: BaseChatModel = init_chat_model(model, model_provider=langchain_name or provider, **arguments)
    except ImportError as error:
        package = PIP_INSTALL.search(str(error))
        hint = package.group(1) if package else f"langchain-{provider.replace('_', '-')}"
        msg = f"model {name!r} needs a package: pip install {hint}"
        raise SettingsError(msg) from error
    except Exception as error:  # clients check their arguments and credentials in ways of their own
        if str(error).startswith("Unsupported provider"):
            raise SettingsError(_unknown_provider(name, str(error))) from None
        message = " ".join(mask_secrets(str(error)).split())[:200]
        hint = "; sign in to Google Cloud and set GOOGLE_CLOUD_PROJECT" if provider == "google_vertexai" else ""
        msg = f"model {name!r} cannot be set up: {message}{hint}"
        raise SettingsError(msg) from error
    return chat_model


def _unknown_provider(name: str, error: str) -> str:
    """Return the message about a provider that LangChain does not know; its error lists those that it does."""
    provider, _, model = name.partition(":")
    known = [item.strip() for item in error.rpartition(" are: ")[2].split(",")]
    match = ALIASES.get(provider) or nearest(provider, known)
    guess = f"did you mean {match + ':' + model!r}? Otherwise " if match else ""
    return (
        f"model {name!r}: LangChain has no provider {provider!r}; {guess}write `offline` or `provider:name` with one "
        f"of the providers {', '.join(PROVIDERS)} or another that LangChain's init_chat_model knows"
    )


def _key(name: str, provider: Provider, base_url: str | None) -> str:
    """Return the provider's key; a server at the user's own address may need none."""
    key = next((os.environ[variable] for variable in provider.keys if os.environ.get(variable)), "")
    if not key and not base_url:
        msg = f"model {name!r} needs a key: set {' or '.join(provider.keys)}, or choose --model offline"
        raise SettingsError(msg)
    return key or "none"


def _install(provider: Provider) -> str:
    return f"pip install {provider.package.replace('_', '-')}"
