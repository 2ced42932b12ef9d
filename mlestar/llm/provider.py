"""Which chat model answers each role: by name, passed in, by the keys that are set, or the offline engineer."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel

from mlestar.agents.role import EXACT
from mlestar.agents.roles import ROLES
from mlestar.errors import SettingsError
from mlestar.llm.roles import DEFAULT, check_names, temperature_for, value_for
from mlestar.settings import Settings


@dataclass(frozen=True)
class Provider:
    """What is needed to reach a provider."""

    package: str
    extra: str
    """Extra of this package that installs it, empty for what is always installed."""
    keys: tuple[str, ...] = ()
    """Environment variables that hold its key."""
    preferred: str = ""
    """Model that is taken when a key is set and no model is named."""
    once: Mapping[str, Any] = field(default_factory=dict)
    """Arguments with which its client sends a request once: retries are ours."""
    retries: int = 0
    """Retries of a client that was made without those arguments."""
    timeout: Callable[[float], dict[str, Any]] = lambda seconds: {"timeout": seconds}
    bound: str = "max_tokens"
    """Argument that bounds the tokens of a reply."""
    loaded_as: str = ""
    """Name by which LangChain loads it, when that is another."""


PROVIDERS = {
    "google_genai": Provider(
        "langchain_google_genai",
        "",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "gemini-2.5-pro",
        once={"max_retries": 1},  # counts requests
        retries=5,
    ),
    "openai": Provider(
        "langchain_openai",
        "openai",
        ("OPENAI_API_KEY",),
        "gpt-5.1",
        once={"max_retries": 0},
        retries=2,
    ),
    "anthropic": Provider(
        "langchain_anthropic",
        "anthropic",
        ("ANTHROPIC_API_KEY",),
        "claude-sonnet-4-5",
        once={"max_retries": 0},
        retries=2,
    ),
    "google_vertexai": Provider(
        "langchain_google_genai",
        "",
        once={"max_retries": 1, "vertexai": True},
        retries=5,
        loaded_as="google_genai",
    ),
    "ollama": Provider(
        "langchain_ollama",
        "ollama",
        timeout=lambda seconds: {"client_kwargs": {"timeout": seconds}},
        bound="num_predict",
    ),
}
"""Providers; those with a key stand in order of preference."""
GEMINI = ("google_genai", "google_vertexai")
"""Providers whose models can ground an answer in Google Search."""


@dataclass(frozen=True)
class ChosenModel:
    """A chat model, its name, and why it was chosen."""

    model: BaseChatModel
    name: str
    """`offline`, `provider:name`, or the class of a model that was passed in."""
    why: str
    trusted: bool
    """The scripts it writes come from this package's own recipes."""
    retries: int = 0
    """Times its own client repeats a request that failed."""

    @property
    def provider(self) -> str:
        """Who is asked over the network; empty for a model that works in this process."""
        provider = self.name.partition(":")[0]
        return provider if provider in PROVIDERS else ""


@dataclass(frozen=True, kw_only=True)
class Models:
    """The model of every role."""

    default: ChosenModel
    by_role: Mapping[str, ChosenModel] = field(default_factory=dict)

    def of(self, role: str) -> ChosenModel:
        return self.by_role.get(role, self.default)

    def all(self) -> tuple[ChosenModel, ...]:
        return (self.default, *self.by_role.values())

    @property
    def grounds(self) -> bool:
        """The model that searches can ground its answers in Google Search."""
        return self.of("web_retriever").provider in GEMINI

    @property
    def trusted(self) -> bool:
        return all(chosen.trusted for chosen in self.all())

    @property
    def title(self) -> str:
        """Name the default model, and the roles that another one plays."""
        others: dict[str, list[str]] = {}
        for role, chosen in self.by_role.items():
            if chosen.name != self.default.name:
                others.setdefault(chosen.name, []).append(role)
        said = "".join(f"; {name} as {', '.join(roles)}" for name, roles in others.items())
        return self.default.name + said


Passed = BaseChatModel | Mapping[str, BaseChatModel] | None
"""A model for every role, or models by role, group of roles or `default`."""


def choose_models(settings: Settings, passed: Passed = None) -> Models:
    """Return the model of every role.

    For a role counts what was passed in for it, then what the settings name; then the same for its group; then for all
    roles. Without any of these the first provider whose key is set, else the offline engineer.

    `max_output_tokens` bounds a reply of a named model, so that what a call may cost is known before it is made.

    Raises:
        SettingsError: a role or a provider is unknown, a package is not installed or a key is not set.
    """
    given: dict[str, BaseChatModel | str] = {**settings.models, **_by_name(passed)}
    if settings.model and not isinstance(given.get(DEFAULT), BaseChatModel):
        given[DEFAULT] = settings.model
    check_names("models", given)
    check_names("temperatures", settings.temperatures)
    why = "it was asked for"
    if DEFAULT not in given:
        given[DEFAULT], why = _by_keys()
    cache = ModelCache(settings, given[DEFAULT])
    default = cache.get(given[DEFAULT], settings.temperatures.get(DEFAULT, EXACT), why)
    by_role = {
        role: cache.get(value_for(role, given) or given[DEFAULT], temperature_for(role, settings.temperatures), why)
        for role in ROLES
    }
    return Models(default=default, by_role=by_role)


class ModelCache:
    """Models that are made once for each name and temperature."""

    def __init__(self, settings: Settings, default: BaseChatModel | str) -> None:
        self._settings = settings
        named = default.partition(":")[0] if isinstance(default, str) else ""
        self._home = named if named in PROVIDERS else ""
        """Provider that `base_url` belongs to; empty for any."""
        self._made: dict[tuple[str, float | None], ChosenModel] = {}
        self._wrapped: dict[int, ChosenModel] = {}

    def get(self, wanted: BaseChatModel | str, temperature: float, why: str) -> ChosenModel:
        if isinstance(wanted, BaseChatModel):
            return self._wrapped.setdefault(id(wanted), wrap_model(wanted))
        if wanted == "offline":
            return self._offline(why)
        plain = self._provided(wanted, None, why)
        able = (getattr(plain.model, "profile", None) or {}).get("temperature", True)
        return plain if able is False else self._provided(wanted, temperature, why)

    def _offline(self, why: str) -> ChosenModel:
        from mlestar.offline import OfflineEngineer

        return self._made.setdefault(("offline", None), ChosenModel(OfflineEngineer(), "offline", why, trusted=True))

    def _provided(self, name: str, temperature: float | None, why: str) -> ChosenModel:
        if (name, temperature) not in self._made:
            ours = self._home in ("", name.partition(":")[0])
            model = _make(name, temperature, self._settings, self._settings.base_url if ours else None)
            self._made[name, temperature] = ChosenModel(model, name, why, trusted=False)
        return self._made[name, temperature]


def wrap_model(model: BaseChatModel) -> ChosenModel:
    """Return a model that the caller passed in, named by its provider and model name or by its class."""
    packages = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    known = next((name for name, provider in PROVIDERS.items() if provider.package in packages), "")
    own = str(getattr(model, "model_name", None) or getattr(model, "model", None) or type(model).__name__)
    name = f"{known}:{own.removeprefix('models/')}" if known else own
    return ChosenModel(model, name, "it was passed in", trusted=False, retries=_own_retries(model, known))


def _own_retries(model: BaseChatModel, known: str) -> int:
    if not known:
        return 0
    provider, said = PROVIDERS[known], getattr(model, "max_retries", None)
    return provider.retries if said is None else max(0, int(said) - provider.once.get("max_retries", 0))


def _by_name(passed: Passed) -> dict[str, BaseChatModel]:
    if passed is None:
        return {}
    return {DEFAULT: passed} if isinstance(passed, BaseChatModel) else dict(passed)


def _by_keys() -> tuple[str, str]:
    """Return the model of the first provider whose key is set, and why; the offline engineer when there is none."""
    lacking = ""
    for name, provider in PROVIDERS.items():
        key = next((variable for variable in provider.keys if os.environ.get(variable)), None)
        if key and importlib.util.find_spec(provider.package):
            return f"{name}:{provider.preferred}", f"{key} is set"
        if key:
            lacking = lacking or f"{key} is set, but {provider.package} is not installed: {_install(provider)}"
    ask = "set GOOGLE_API_KEY or pass --model provider:name for a language model"
    return "offline", lacking or f"no provider key is set; {ask}"


def _make(name: str, temperature: float | None, settings: Settings, base_url: str | None) -> BaseChatModel:
    provider_name, _, model = name.partition(":")
    if not model or provider_name not in PROVIDERS:
        msg = f"model {name!r}: write `offline` or `provider:name` with one of the providers {', '.join(PROVIDERS)}"
        raise SettingsError(msg)
    provider = PROVIDERS[provider_name]
    if not importlib.util.find_spec(provider.package):
        msg = f"model {name!r} needs a package: {_install(provider)}"
        raise SettingsError(msg)
    given: dict[str, Any] = {**provider.once, **provider.timeout(settings.model_seconds)}
    given[provider.bound] = settings.max_output_tokens
    given |= {"base_url": base_url} if base_url else {}
    given |= {"temperature": temperature} if temperature is not None else {}
    given |= {"api_key": _key(name, provider, base_url)} if provider.keys else {}
    from langchain.chat_models import init_chat_model

    try:
        made: BaseChatModel = init_chat_model(f"{provider.loaded_as or provider_name}:{model}", **given)
    except Exception as error:  # clients check their arguments and credentials in ways of their own
        said = " ".join(str(error).split())[:200]
        hint = "; sign in to Google Cloud and set GOOGLE_CLOUD_PROJECT" if provider_name == "google_vertexai" else ""
        msg = f"model {name!r} cannot be set up: {said}{hint}"
        raise SettingsError(msg) from error
    return made


def _key(name: str, provider: Provider, base_url: str | None) -> str:
    """Return the provider's key; a server of one's own need not want any."""
    key = next((os.environ[variable] for variable in provider.keys if os.environ.get(variable)), "")
    if not key and not base_url:
        msg = f"model {name!r} needs a key: set {' or '.join(provider.keys)}, or choose --model offline"
        raise SettingsError(msg)
    return key or "none"


def _install(provider: Provider) -> str:
    return f"pip install 'mlestar[{provider.extra}]'" if provider.extra else "pip install mlestar"
