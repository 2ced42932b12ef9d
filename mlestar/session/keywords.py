"""Keyword arguments of a run: settings by name, and live objects; Python accepts any where `**keywords` are taken."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from langchain_core.language_models import BaseChatModel

from mlestar.errors import SettingsError, nearest
from mlestar.retrieval import RetrieversLike
from mlestar.runners import Runner
from mlestar.runtime.options import LiveOptions, RunOptions
from mlestar.settings import RetrievalSettings, Settings
from mlestar.settings.keywords import SettingKeywords

SHORT_NAMES = {"id": "id_column"}
"""Keywords that stand for a setting of another name."""


ModelLike = BaseChatModel | str | Mapping[str, BaseChatModel] | Mapping[str, str] | None


class RunKeywords(SettingKeywords, LiveOptions, total=False):
    """Keyword arguments that `solve`, `resume`, `fork` and their variants share: settings, objects and callbacks."""

    model: ModelLike
    """A chat model for every role, its name, or either by role, group of roles or `default`."""
    runner: Runner | str | None
    """Executes scripts: a runner or the name of one."""
    retrieval: RetrieversLike | str | Sequence[str] | Mapping[str, Any] | RetrievalSettings
    """Where model cards come from: objects, names of sources, or the values of the setting."""


class SolveKeywords(RunKeywords, total=False):
    """Keyword arguments of `solve` and its variants."""

    runs_dir: str | Path
    id: str | None
    """Short for `id_column`."""


def split_keywords(keywords: Mapping[str, Any], own: Iterable[str] = ()) -> tuple[dict[str, Any], RunOptions]:
    """Return the keywords that are settings, and the others.

    Args:
        keywords: what was passed.
        own: further keywords of the function, which a mistyped one may be meant for.

    Raises:
        SettingsError: a keyword does not exist, and the nearest is named; or its value is of the wrong kind.
    """
    names = {*own, *SolveKeywords.__optional_keys__} - {"keywords"}
    unknown = sorted(set(keywords) - names)
    if unknown:
        raise SettingsError("; ".join(_describe_unknown(name, names) for name in unknown))
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in keywords.items():
        setting = _setting_of(name, value)
        if setting is None:
            options[name] = value
        else:
            settings[setting] = value
    _check_model(options.get("model"))
    _check_kinds(options)
    return settings, cast("RunOptions", options)


def _setting_of(name: str, value: object) -> str | None:
    """Return the setting that a keyword sets, None for an option."""
    if name not in RunOptions.__optional_keys__:
        return SHORT_NAMES.get(name, name)
    if name == "model" and isinstance(value, Mapping) and _all_texts(value.values()):
        return "models"
    if name == "retrieval" and isinstance(value, Mapping | RetrievalSettings):
        return name
    listed = name == "retrieval" and isinstance(value, list | tuple) and _all_texts(value)
    named = name in Settings.model_fields and isinstance(value, str)
    return name if named or listed else None


def _all_texts(values: Iterable[object]) -> bool:
    values = list(values)
    return bool(values) and all(isinstance(value, str) for value in values)


def _check_kinds(options: Mapping[str, object]) -> None:
    runner = options.get("runner")
    if runner is not None and not isinstance(runner, Runner):
        msg = f"runner: give a Runner or the name of one, not {runner!r}"
        raise SettingsError(msg)
    answers = options.get("answers")
    if answers is not None and not isinstance(answers, Mapping):
        msg = f"answers: give answers by the ids of their questions, not {answers!r}"
        raise SettingsError(msg)
    for name in ("on_event", "on_question", "on_model_call"):
        callback = options.get(name)
        if callback is not None and not callable(callback):
            msg = f"{name}: give a function, not {callback!r}"
            raise SettingsError(msg)


def _describe_unknown(name: str, names: Iterable[str]) -> str:
    match = nearest(name, names)
    return f"unknown keyword {name!r}" + (f": did you mean {match!r}?" if match else "")


def _check_model(model: object) -> None:
    if model is None or isinstance(model, BaseChatModel):
        return
    by_role = dict(model) if isinstance(model, Mapping) else {"default": None}
    if not all(isinstance(one, BaseChatModel) for one in by_role.values()):
        msg = f"model: give a chat model, its name, or either by role, not {model!r}"
        raise SettingsError(msg)
