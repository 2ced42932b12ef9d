"""Which chat model answers each role: by name, passed in, by the keys that are set, or the offline engineer."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from langchain_core.language_models import BaseChatModel

from mlestar.agents.retriever import WEB_RETRIEVER
from mlestar.agents.role import EXACT
from mlestar.agents.roles import ROLES
from mlestar.errors import ModelError
from mlestar.llm.effort import effort_arguments
from mlestar.llm.external import ASK
from mlestar.llm.provider import GEMINI, PROVIDERS, first_with_key, make_model
from mlestar.llm.roles import DEFAULT, check_names, effort_for, matching_name, temperature_for
from mlestar.llm.scripted import ScriptedModel
from mlestar.settings import Settings

logger = logging.getLogger("mlestar.llm")


@dataclass(frozen=True)
class ChosenModel:
    """A chat model, its name, and why it was chosen."""

    model: BaseChatModel
    name: str
    """`offline`, `ask`, `provider:name`, or the class of a model that was passed in."""
    why: str
    trusted: bool
    """The scripts it writes come from this package's own recipes."""
    provider: str = ""
    """Who is asked over the network; empty for a model that works in this process or of an unknown class."""
    retries: int = 0
    """Times its own client repeats a request that failed."""


@dataclass(frozen=True, kw_only=True)
class Models:
    """The model of every role."""

    default: ChosenModel
    by_role: Mapping[str, ChosenModel] = field(default_factory=dict)
    fallbacks: Mapping[str, tuple[ChosenModel, ...]] = field(default_factory=dict)
    """For each role, the models that take over from one that is too weak, in order."""

    def of(self, role: str) -> ChosenModel:
        return self.by_role.get(role, self.default)

    def all(self) -> tuple[ChosenModel, ...]:
        """Return every model that may be asked."""
        return (self.default, *self.by_role.values(), *chain.from_iterable(self.fallbacks.values()))

    @property
    def can_ground(self) -> bool:
        """The model of the web retriever can ground its answers in Google Search."""
        return self.of(WEB_RETRIEVER.name).provider in GEMINI

    @property
    def trusted(self) -> bool:
        return all(chosen.trusted for chosen in self.all())

    @property
    def title(self) -> str:
        """The name of the default model, and the roles of every other model."""
        others: dict[str, list[str]] = {}
        for role, chosen in self.by_role.items():
            if chosen.name != self.default.name:
                others.setdefault(chosen.name, []).append(role)
        return self.default.name + "".join(f"; {name} as {', '.join(roles)}" for name, roles in others.items())


ModelsLike = BaseChatModel | Mapping[str, BaseChatModel] | None
"""A model for every role, or models by role, group of roles or `default`."""


def choose_models(settings: Settings, passed: ModelsLike = None) -> Models:
    """Return the model of every role.

    Precedence: the role, then its group, then `default`; for each a model that was passed in, then the settings.
    Without any of these the first provider whose key is set, else the offline engineer.

    `max_output_tokens` bounds a reply of a named model, so that what a call may cost is known before it is made.

    Raises:
        SettingsError: a role or a provider is unknown, a package is not installed or a key is not set.
    """
    by_name: dict[str, BaseChatModel | str] = {**settings.models, **_by_name(passed)}
    if settings.model and not isinstance(by_name.get(DEFAULT), BaseChatModel):
        by_name[DEFAULT] = settings.model
    check_names("models", by_name)
    check_names("temperatures", settings.temperatures)
    check_names("effort", settings.effort)
    why = "it was asked for"
    if DEFAULT not in by_name:
        by_name[DEFAULT], why = first_with_key()
    cache = ModelCache(settings, by_name[DEFAULT])
    default_effort = settings.effort.get(DEFAULT, "")
    default = cache.get(by_name[DEFAULT], settings.temperatures.get(DEFAULT, EXACT), why, default_effort)
    logger.info("model %s: %s", default.name, default.why)
    by_role: dict[str, ChosenModel] = {}
    for role in ROLES:
        name = matching_name(role, by_name)
        temperature = temperature_for(role, settings.temperatures)
        effort = effort_for(role, settings.effort)
        by_role[role] = cache.get(by_name[name], temperature, why, effort)
        logger.debug("role %s: model %s of %r, temperature %g", role, by_role[role].name, name, temperature)
    fallbacks = {role: _fallbacks(role, by_role[role], settings, cache) for role in ROLES}
    return Models(default=default, by_role=by_role, fallbacks=fallbacks)


def _fallbacks(role: str, first: ChosenModel, settings: Settings, cache: "ModelCache") -> tuple[ChosenModel, ...]:
    """Return the models that the settings name as fallbacks, each once, for a role that another model answers first."""
    temperature = temperature_for(role, settings.temperatures)
    names = [name for name in dict.fromkeys(settings.fallback) if name != first.name]
    return tuple(cache.get(name, temperature, "it is a fallback") for name in names)


def _by_name(passed: ModelsLike) -> dict[str, BaseChatModel]:
    if passed is None:
        return {}
    return {DEFAULT: passed} if isinstance(passed, BaseChatModel) else dict(passed)


class ModelCache:
    """Models that are made once for each name, temperature and effort."""

    def __init__(self, settings: Settings, default: BaseChatModel | str) -> None:
        self._settings = settings
        self._base_url_provider = _provider_of(default) if isinstance(default, str) else ""
        """Provider that `base_url` belongs to; empty for any."""
        self._named: dict[tuple[str, float | None, str], ChosenModel] = {}
        self._passed: dict[int, ChosenModel] = {}

    def get(self, model: BaseChatModel | str, temperature: float, why: str, effort: str = "") -> ChosenModel:
        """Return a model; one that was passed in, and the offline engineer, have no other temperature or effort."""
        if isinstance(model, BaseChatModel):
            return self._passed.setdefault(id(model), wrap_model(model))
        if model == "offline":
            return self._offline(why)
        if model == ASK:
            return self._named.setdefault(
                (ASK, None, ""), ChosenModel(ScriptedModel(answer=_refuse_to_answer), ASK, why, trusted=False)
            )
        plain = self._by_provider(model, None, why)
        profile = getattr(plain.model, "profile", None) or {}
        takes_temperature = profile.get("temperature", True) is not False
        return self._by_provider(model, temperature if takes_temperature else None, why, effort)

    def _offline(self, why: str) -> ChosenModel:
        from mlestar.offline import OfflineEngineer

        key = ("offline", None, "")
        return self._named.setdefault(key, ChosenModel(OfflineEngineer(), "offline", why, trusted=True))

    def _by_provider(self, name: str, temperature: float | None, why: str, effort: str = "") -> ChosenModel:
        key = (name, temperature, effort)
        if key not in self._named:
            provider = _provider_of(name)
            base_url = self._settings.base_url if self._base_url_provider in ("", provider) else None
            further = {}
            if effort:
                plain = self._by_provider(name, None, why).model
                further = effort_arguments(name, provider, plain, effort)
            model = make_model(name, temperature, self._settings, base_url, further)
            # Clients of listed providers are made without retries; those of others keep their own.
            retries = 0 if provider in PROVIDERS else _client_retries(model)
            self._named[key] = ChosenModel(model, name, why, trusted=False, provider=provider, retries=retries)
        return self._named[key]


def _refuse_to_answer(role: str, prompt: str) -> str:
    """Refuse a question to the external model, which only a run can ask."""
    msg = f"model {ASK} is answered from outside while a run works; it cannot be asked here"
    raise ModelError(msg)


def wrap_model(model: BaseChatModel) -> ChosenModel:
    """Return a model that the caller passed in, named by its provider and model name or by its class."""
    provider = _listed_base(model)
    own_name = str(getattr(model, "model_name", None) or getattr(model, "model", None) or type(model).__name__)
    name = f"{provider}:{own_name.removeprefix('models/')}" if provider else own_name
    retries = _client_retries(model) if provider else 0
    return ChosenModel(model, name, "it was passed in", trusted=False, provider=provider, retries=retries)


def _listed_base(model: BaseChatModel) -> str:
    """Return the listed provider in whose package the model's class or a base of it is; empty when there is none."""
    packages = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    return next((name for name, listed in PROVIDERS.items() if listed.package in packages), "")


def _client_retries(model: BaseChatModel) -> int:
    """Return how often a client itself repeats a request that failed."""
    listed = PROVIDERS.get(_listed_base(model))
    max_retries = getattr(model, "max_retries", None)
    if max_retries is None:
        return listed.default_retries if listed else 0
    without_retries = listed.no_retries.get("max_retries", 0) if listed else 0
    return max(0, int(max_retries) - without_retries)


def _provider_of(name: str) -> str:
    provider, colon, _ = name.partition(":")
    return provider if colon else ""
