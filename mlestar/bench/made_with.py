"""What a row was made with, so that rows of other conditions, tools or data never stand in one table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlestar.bench.rows import BenchRow, Conditions
from mlestar.bench.suite import SuiteTask
from mlestar.errors import UserError, clean_text, mask_secrets
from mlestar.files import read_regular
from mlestar.settings import BUDGET, UNBOUND, Settings

SHARED = ("profile", "model", "minutes", "runner", "cpus", "parallel", "version")
"""Conditions that all rows of a benchmark share."""
_LEFT_OUT = (set(UNBOUND) - set(BUDGET)) | {"seed", *SHARED}
"""Settings without effect on what a run gives, and those that conditions and rows have under names of their own."""
TASK, ANSWERS = "task data", "answers"
_PRINTED = (TASK, ANSWERS)
"""Entries whose values say nothing to a person."""
FILE = "made_with.json"
MadeWith = Mapping[str, str]


def describe_run(settings: Settings) -> dict[str, str]:
    """Return the settings of runs that differ from the defaults and change what a run gives."""
    values = settings.model_dump(mode="json", exclude_defaults=True)
    return {name: json.dumps(value) for name, value in values.items() if name not in _LEFT_OUT}


def other_settings(settings: Settings) -> tuple[str, ...]:
    """Return the settings that differ from those of the profile and have no name of their own in the conditions."""
    profile = settings.resolve({"profile": settings.profile})
    values, defaults = settings.model_dump(mode="json"), profile.model_dump(mode="json")
    left_out = _LEFT_OUT | {"max_hours"}
    changed = [name for name in sorted(values) if name not in left_out and values[name] != defaults[name]]
    return tuple(mask_secrets(f"{name}={values[name]}") for name in changed)


def describe_job(conditions: Conditions, tool: MadeWith, task: SuiteTask) -> dict[str, str]:
    """Return what the row of a tool on a task is made with.

    Args:
        conditions: of the benchmark.
        tool: the settings of the tool.
        task: the task.
    """
    shared = {name: str(getattr(conditions, name)) for name in SHARED}
    own = {name: mask_secrets(value) for name, value in tool.items()}
    return {**shared, **own, TASK: task.contents, ANSWERS: task.answers_contents}


def describe_changes(before: MadeWith, after: MadeWith, names: Iterable[str] | None = None) -> str:
    """Return what differs in a line, empty where nothing does; a row of an earlier version has no entries.

    Args:
        before: what a row was made with.
        after: what it would be made with now.
        names: the entries that are compared; all by default.
    """
    if not before:
        return ""
    compared = dict.fromkeys((*before, *after)) if names is None else names
    differ = [name for name in compared if before.get(name) != after.get(name)]
    return clean_text("; ".join(_change(name, before.get(name), after.get(name)) for name in differ))


def _change(name: str, before: str | None, after: str | None) -> str:
    if name in _PRINTED:
        return f"the {name} have changed" if name == ANSWERS else f"the {name} has changed"
    return f"{name} was {before or 'unset'}, now {after or 'unset'}"


def check_shared(rows: Iterable[BenchRow], conditions: Conditions, folder: Path) -> None:
    """Refuse to add rows to those of other conditions.

    Raises:
        UserError: with what differs.
    """
    now = {name: str(getattr(conditions, name)) for name in SHARED}
    for row in rows:
        changes = describe_changes(row.made_with, now, SHARED)
        if changes:
            msg = f"{folder} has rows made under other conditions ({changes}): choose another --out"
            raise UserError(msg)


def check_row(row: BenchRow, now: MadeWith, path: Path) -> None:
    """Refuse a row that was made with another tool of the same name, or on other data.

    Raises:
        UserError: with what differs.
    """
    changes = describe_changes(row.made_with, now)
    if changes:
        msg = f"{path} was made with something else ({changes}): choose another --out, or remove it and its work folder"
        raise UserError(msg)


def check_begun(work: Path, now: MadeWith) -> None:
    """Refuse to continue a run that was begun with something else.

    Raises:
        UserError: with what differs.
    """
    changes = describe_changes(read_made_with(work), now)
    if changes:
        msg = f"{work} was begun with something else ({changes}): choose another --out, or remove it"
        raise UserError(msg)


def read_made_with(work: Path) -> dict[str, str]:
    """Return what the work in a folder was begun with; nothing where that is unknown."""
    try:
        content = json.loads(read_regular(work / FILE))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}
