"""The script of an earlier run, by the name of the run and, optionally, of the solution."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.errors import SettingsError, UserError, nearest
from mlestar.files import read_regular
from mlestar.store import RunFolder

MAX_RESULT = 2**26
"""Most bytes of a `result.json`. Chosen by judgement; not measured."""


def looks_like_run(start: str, runs_dir: Path) -> bool:
    """Return whether a setting names an earlier run; a file of the same name takes precedence."""
    if Path(start).expanduser().is_file():
        return False
    name = start.partition(":")[0]
    return bool(name) and "/" not in name and (runs_dir / name).is_dir() and name not in (".", "..")


@dataclass(frozen=True)
class RunScript:
    """The script of a solution of an earlier run."""

    path: Path
    metric: str
    """Of that run: what the script prints may be no score of another task."""


def find_script(start: str, runs_dir: Path) -> RunScript:
    """Return the script of a solution of an earlier run, the winner without a name.

    Raises:
        SettingsError: the run has no result, no such solution, or its script is gone.
    """
    name, _, identity = start.partition(":")
    try:
        folder = RunFolder(runs_dir, name)
        folder.read_settings()
    except UserError as error:
        msg = f"start {start}: {error}"
        raise SettingsError(msg) from error
    result = _read_result(folder, start)
    rows = {str(row.get("id")): row for row in result.get("solutions", ()) if isinstance(row, dict)}
    solution = identity or str(result.get("winner") or "")
    if not solution:
        msg = f"start {start}: run {name} has no winner; name a solution as {name}:SOLUTION"
        raise SettingsError(msg)
    row = rows.get(solution)
    if row is None:
        match = nearest(solution, rows)
        hint = f"did you mean {match!r}?" if match else f"it has {', '.join(list(rows)[:8]) or 'none'}"
        msg = f"start {start}: run {name} has no solution {solution!r}: {hint}"
        raise SettingsError(msg)
    script = folder.path / str(row.get("script") or "")
    if row.get("script") and script.is_file() and script.resolve().is_relative_to(folder.path.resolve()):
        return RunScript(script, str(result.get("metric") or ""))
    msg = f"start {start}: solution {solution!r} of run {name} has no script in the run folder"
    raise SettingsError(msg)


def _read_result(folder: RunFolder, start: str) -> dict[str, Any]:
    if not folder.result.is_file():
        msg = (
            f"start {start}: run {folder.run_id} has no result yet; continue it with: mlestar resume {folder.arguments}"
        )
        raise SettingsError(msg)
    try:
        result = json.loads(read_regular(folder.result, MAX_RESULT))
    except (OSError, ValueError) as error:
        msg = f"start {start}: the result of run {folder.run_id} cannot be read; `mlestar doctor` repairs it"
        raise SettingsError(msg) from error
    return result if isinstance(result, dict) else {}
