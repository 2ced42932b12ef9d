"""Options of the command line as settings."""

from typing import TYPE_CHECKING, Any

from mlestar.errors import SettingsError

if TYPE_CHECKING:
    from mlestar.settings import Settings
    from mlestar.settings.sources import Layers

MAIN_PARTS = {"retrieval": "sources", "trackers": "mlflow"}
"""The part of a setting that its bare name sets."""


def resolve_settings(options: dict[str, Any], items: list[str] | None = None) -> "Settings":
    """Return the settings of options that were used and of `--set` items, then of the environment and `mlestar.toml`.

    Raises:
        SettingsError: a value is out of range or a setting is unknown.
    """
    return read_layers(options, items).settings()


def read_layers(options: dict[str, Any], items: list[str] | None = None) -> "Layers":
    """Return the settings of the command line, the environment and `mlestar.toml`; `--set` precedes other options.

    Raises:
        SettingsError: a value is out of range or a setting is unknown.
    """
    from mlestar.settings import sources

    return sources.read_layers({**without_none(options), **read_items(items or [])})


def without_none(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were used."""
    return {name: value for name, value in options.items() if value is not None}


def read_items(items: list[str]) -> dict[str, Any]:
    """Return `key=value` items as settings; `key.part=value` sets a part of one.

    Raises:
        SettingsError: an item has no key or no value.
    """
    settings: dict[str, Any] = {}
    for item in items:
        key, sign, value = item.partition("=")
        if not sign or not key:
            msg = f"--set {item!r}: write key=value"
            raise SettingsError(msg)
        name, dot, part = key.partition(".")
        if dot or isinstance(settings.get(name), dict):
            settings[name] = {**_parts(name, settings.get(name, {})), part or MAIN_PARTS.get(name, ""): value}
        else:
            settings[name] = value
    return settings


def _parts(name: str, value: object) -> dict[str, Any]:
    """Return a setting by parts, also when its bare name has set one."""
    return value if isinstance(value, dict) else {MAIN_PARTS.get(name, ""): value}
