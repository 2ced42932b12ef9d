"""The roles that ask a model, the groups they form, and how freely each one samples."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from mlestar.errors import SettingsError

GROUPS: dict[str, tuple[str, ...]] = {
    "retrievers": ("web_retriever", "retriever"),
    "writers": ("initializer", "merger", "ablator", "coder", "ensembler"),
    "planners": ("extractor", "planner", "ensemble_planner"),
    "checkers": (
        "analyst",
        "usage_checker",
        "leakage_checker",
        "leakage_fixer",
        "subsampling_extractor",
        "subsampling_remover",
    ),
    "debuggers": ("summarizer", "bug_summarizer", "debugger"),
}
"""Every role in one group. `debuggers` read output: of studies and of failures."""
DEFAULT = "default"

EXACT, FREE = 0.0, 1.0
FREELY = frozenset(
    ("web_retriever", "retriever", "initializer", "merger", "ablator", "ensembler", "planner", "ensemble_planner")
) | {"debugger"}
"""Roles that propose: variety is wanted. The others check, copy, carry out or summarize."""

V = TypeVar("V")


def all_roles() -> Iterator[str]:
    for roles in GROUPS.values():
        yield from roles


def temperature_of(role: str, given: Mapping[str, float]) -> float:
    """Return the temperature of a role: what was given for it, its group or all, else the method's own."""
    chosen = choose(role, given)
    return (FREE if role in FREELY else EXACT) if chosen is None else chosen


def choose(role: str, by_name: Mapping[str, V]) -> V | None:
    """Return the value for a role: its own, its group's, or the default; None when there is none."""
    group = next((name for name, roles in GROUPS.items() if role in roles), "")
    return next((by_name[name] for name in (role, group, DEFAULT) if name in by_name), None)


def check_names(setting: str, by_name: Mapping[str, object]) -> None:
    """Refuse a name that is no role, no group and not `default`.

    Raises:
        SettingsError: with the names there are.
    """
    known = {DEFAULT, *GROUPS, *all_roles()}
    unknown = sorted(set(by_name) - known)
    if unknown:
        groups = "; ".join(f"{group}: {', '.join(roles)}" for group, roles in GROUPS.items())
        msg = f"setting {setting}: no role is called {unknown[0]!r}; write default, a role or a group ({groups})"
        raise SettingsError(msg)
