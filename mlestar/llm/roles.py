"""Values by role: a model, a temperature or an effort for one role, a group of roles, or all."""

from collections.abc import Container, Mapping

from mlestar.agents.roles import ROLES, groups
from mlestar.errors import SettingsError

DEFAULT = "default"


def matching_name(role: str, by_name: Container[str]) -> str:
    """Return the name under which a role has a value: its own, its group's, `default`, or empty when it has none."""
    names = (role, ROLES[role].group, DEFAULT)
    return next((name for name in names if name in by_name), "")


def temperature_for(role: str, by_name: Mapping[str, float]) -> float:
    """Return the temperature that the settings name for a role, else that of the role table."""
    name = matching_name(role, by_name)
    return by_name[name] if name else ROLES[role].temperature


def effort_for(role: str, by_name: Mapping[str, str]) -> str:
    """Return the effort that the settings name for a role; empty for the model's own."""
    return by_name.get(matching_name(role, by_name), "")


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
