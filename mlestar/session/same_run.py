"""Whether a call under the id of a run means that run: the same task, data and settings."""

import shlex
from pathlib import Path
from typing import Any

from mlestar.errors import SettingsError, UserError, mask_secrets
from mlestar.settings import PACKAGE_POLICIES, PROFILES, UNBOUND, Settings
from mlestar.start import find_file
from mlestar.store import RunFolder
from mlestar.store.content import (
    START,
    Contents,
    describe_changes,
    load_contents,
    read_content,
    read_contents,
    write_contents,
)

ABSENT: tuple[object, ...] = ("", None, (), frozenset(), {})
BY_CONTENT = ("prompts", "cards", "weights_folder", "start")
"""Settings that name files: their content is compared, not where they are; `packages` is one where it names a file."""


def check_same_settings(folder: RunFolder, settings: Settings) -> None:
    """Refuse settings that lead a run elsewhere than those it was started with.

    Raises:
        SettingsError: with the settings that differ, and the command that runs with them.
    """
    before = Settings.resolve(folder.read_settings().settings)
    changed = _changed(before, settings)
    if not changed:
        return
    differences = ", ".join(f"{name} was {_show(getattr(before, name))}, now {_show(value)}" for name, value in changed)
    items = " ".join(f"--set {shlex.quote(f'{name}={value}')}" for name, value in changed if _is_plain(value))
    advice = f"; `mlestar fork {folder.arguments} --at settings {items}` continues with the change" if items else ""
    msg = f"run {folder.run_id} was started with other settings ({differences}): choose another run id{advice}"
    raise SettingsError(mask_secrets(msg))


def check_same_data(folder: RunFolder, contents: Contents) -> None:
    """Refuse other data than those that a run was started with.

    Raises:
        UserError: with the files that differ.
    """
    before = load_contents(folder.contents)
    changes = describe_changes(before, contents) if before is not None else ""
    if changes:
        msg = f"run {folder.run_id} was started with other data ({changes}): choose another run id"
        raise UserError(msg)


def read_task_contents(folder: RunFolder, task: Path, settings: Settings, kept: Contents | None = None) -> Contents:
    """Return the content of what a run reads: task folder, prompts, cards, allowed packages, folders with weights.

    Args:
        folder: of the run.
        task: its task folder.
        settings: of the run.
        kept: what a run had whose start goes on; its file may have changed since or be gone, as the run has the script.
    """
    others = [path for path in (path.expanduser() for path in settings.other_files) if path.exists()]
    earlier = load_contents(folder.contents)
    contents = read_contents(task, others, earlier)
    if kept and START in kept:
        return contents | {START: kept[START]}
    return contents | _start_contents(settings, earlier)


def _start_contents(settings: Settings, earlier: Contents | None) -> Contents:
    """Return the content of the person's own script; the run keeps the script, so that its file may be gone later.

    Raises:
        SettingsError: it cannot be found, in a run that has not read it.
    """
    if not settings.start:
        return {}
    try:
        path = find_file(settings.start, settings.runs_dir)
    except SettingsError:
        if earlier and START in earlier:
            return {START: earlier[START]}
        raise
    return {START: read_content(path)}


def record_contents(folder: RunFolder, contents: Contents) -> None:
    """Keep the content of what a run was started with."""
    write_contents(folder.contents, contents)


def _changed(before: Settings, after: Settings) -> list[tuple[str, Any]]:
    names = [name for name in Settings.model_fields if name not in UNBOUND]
    differ = [name for name in names if _differ(name, getattr(before, name), getattr(after, name))]
    if "profile" in differ:
        differ = [name for name in differ if not (_is_own(before, name) and _is_own(after, name))]
    return [(name, getattr(after, name)) for name in differ]


def _differ(name: str, before: object, after: object) -> bool:
    if name in BY_CONTENT:
        return (before in ABSENT) != (after in ABSENT)
    if name == "packages" and not {before, after} & {*PACKAGE_POLICIES}:
        return False
    return before != after


def _is_own(settings: Settings, name: str) -> bool:
    """Return whether a number is that of the profile."""
    return bool(PROFILES[settings.profile].get(name) == getattr(settings, name))


def _show(value: object) -> str:
    return "unset" if value in ABSENT else str(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and value not in ABSENT


def check_task_exists(folder: RunFolder, task: Path) -> None:
    """Refuse to resume a run whose task folder is gone.

    Raises:
        UserError: with how to continue.
    """
    if not task.is_dir():
        msg = (
            f"the task folder of run {folder.run_id} is gone: {task}; if it was moved, continue with: "
            f"mlestar run NEW_PLACE --run-id {folder.arguments}"
        )
        raise UserError(msg)


def keep_model(folder: RunFolder, settings: Settings) -> Settings:
    """Return the settings with the model that a run was started with, where they name none."""
    model = folder.read_settings().model if folder.settings.is_file() else ""
    return settings.change({"model": model}) if model and settings.model is None else settings
