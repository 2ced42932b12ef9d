"""Values by role: a model or a temperature for one role, a group of roles, or all."""

from collections.abc import Mapping
from typing import TypeVar

from mlestar.agents.roles import ROLES, groups
from mlestar.errors import SettingsError

DEFAULT = "default"
Value = TypeVar("Value")


def value_for(role: str, by_name: Mapping[str, Value]) -> Value | None:
    """Return the value for a role: its own, its group's, or the default; None when there is none."""
    group = ROLES[role].group
    return next((by_name[name] for name in (role, group, DEFAULT) if name in by_name), None)


def temperature_for(role: str, by_name: Mapping[str, float]) -> float:
    """Return the temperature that the settings name for a role, else that of the role table."""
    temperature = value_for(role, by_name)
    return ROLES[role].temperature if temperature is None else temperature


def check_names(setting: str, by_name: Mapping[str, object]) -> None:
    """Refuse a name that is not a role, a group or `default`.

    Raises:
        SettingsError: with the names there are.
    """
    unknown = sorted(set(by_name) - {DEFAULT, *groups(), *ROLES})
    if unknown:
        names = "; ".join(f"{group}: {', '.join(roles)}" for group, roles in groups().items())
        msg = f"setting {setting}: no role is called {unknown[0]!r}; write default, a role or a group ({names})"
        raise SettingsError(msg)
