"""Checks of what a caller passes besides settings: Python accepts any keyword where `**options` are taken."""

from collections.abc import Iterable, Mapping

from langchain_core.language_models import BaseChatModel

from mlestar.errors import SettingsError, nearest
from mlestar.runners import Runner
from mlestar.runtime.options import RunOptions
from mlestar.settings import Settings


def check_options(options: RunOptions, keywords: Iterable[str]) -> None:
    """Refuse keywords that do not exist and values of the wrong kind.

    Args:
        options: what was passed.
        keywords: the function's own, which a mistyped one may be meant for.

    Raises:
        SettingsError: with the nearest keyword or setting.
    """
    names = {*keywords, *RunOptions.__optional_keys__} - {"options"}
    unknown = sorted(set(options) - names)
    if unknown:
        raise SettingsError("; ".join(_describe_unknown(name, names) for name in unknown))
    _check_model(options.get("model"))
    _check_kinds(options)


def _check_kinds(options: Mapping[str, object]) -> None:
    runner = options.get("runner")
    if isinstance(runner, str):
        msg = f"a runner by name is a setting, pass settings={{'runner': {runner!r}}}"
        raise SettingsError(msg)
    if runner is not None and not isinstance(runner, Runner):
        msg = f"runner: give a Runner, not {runner!r}"
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


def take_model_name(settings: Settings, options: RunOptions) -> tuple[Settings, RunOptions]:
    """Return the settings with the model that the options name, and the other options."""
    model = options.get("model")
    if not isinstance(model, str):
        return settings, options
    others = options.copy()
    del others["model"]
    return Settings.resolve({**settings.model_dump(), "model": model}), others


def _describe_unknown(name: str, names: Iterable[str]) -> str:
    problem = f"unknown keyword {name!r}"
    if name in Settings.model_fields:
        return f"{problem}: it is a setting, pass settings={{{name!r}: ...}}"
    match = nearest(name, names)
    if match:
        return f"{problem}: did you mean {match!r}?"
    setting = nearest(name, Settings.model_fields)
    return f"{problem}: did you mean settings={{{setting!r}: ...}}?" if setting else problem


def _check_model(model: object) -> None:
    if model is None or isinstance(model, str | BaseChatModel):
        return
    by_role = dict(model) if isinstance(model, Mapping) else {"default": None}
    if any(isinstance(one, str) for one in by_role.values()):
        msg = f"models by name are settings, pass settings={{'models': {by_role!r}}}"
        raise SettingsError(msg)
    if not all(isinstance(one, BaseChatModel) for one in by_role.values()):
        msg = f"model: give a chat model, its name, or chat models by role, not {model!r}"
        raise SettingsError(msg)
