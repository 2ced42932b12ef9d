"""Checks of what a caller passes besides settings: Python accepts any keyword where `**options` are taken."""

from collections.abc import Iterable, Mapping

from langchain_core.language_models import BaseChatModel

from mlestar.errors import SettingsError, nearest
from mlestar.runtime.options import RunOptions
from mlestar.settings import Settings


def check_options(options: RunOptions, keywords: Iterable[str]) -> None:
    """Refuse keywords that do not exist and models that are not chat models.

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
