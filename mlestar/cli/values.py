"""Options of the command line as settings."""

from typing import TYPE_CHECKING, Any

from mlestar.errors import SettingsError

if TYPE_CHECKING:
    from mlestar.settings import Settings

MAIN_PARTS = {"retrieval": "sources"}
"""The part of a setting that its bare name sets."""


def resolve_settings(options: dict[str, Any], items: list[str] | None = None) -> "Settings":
    """Return the settings of options that were used and of `--set` items, which take precedence.

    Raises:
        SettingsError: a value is out of range or a setting is unknown.
    """
    from mlestar.settings import Settings

    return Settings.resolve({**without_none(options), **read_items(items or [])})


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
            settings[name] = value.split(",") if name == "review" else value
    return settings


def _parts(name: str, value: object) -> dict[str, Any]:
    """Return a setting by parts, also when its bare name has set one."""
    return value if isinstance(value, dict) else {MAIN_PARTS.get(name, ""): value}
