"""What runs write: none of it is data, wherever in a task folder it lies."""

import filecmp
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlestar.files import read_regular

MARKER = ".mlestar-runs"
"""A file in a folder that was made for runs."""
OUTPUTS = ("solution.py", "submission.csv", "report.html", "result.json")
"""What a run leaves for a person."""
RESULT_KEYS = {"run_id", "status", "score", "spend", "solutions"}
"""Keys that tell our `result.json` from another file of that name."""


def is_run_folder(path: Path) -> bool:
    """Return whether a folder is that of a run, or one that was made for runs."""
    return (path / MARKER).is_file() or ((path / "settings.json").is_file() and (path / "blobs").is_dir())


def find_outputs(folder: Path, names: Iterable[str]) -> set[str]:
    """Return which of a folder's files are copies of what a run left: beside its result, or equal to a run's file."""
    present = {name for name in OUTPUTS if name in names}
    if not present:
        return set()
    if "result.json" in present and _is_result(folder / "result.json"):
        return present
    runs = list(_runs_below(folder))
    return {name for name in present if any(_is_equal(folder / name, run / name) for run in runs)}


def mark_runs_folder(path: Path) -> None:
    """Make a folder for runs; one that is made here is marked, so that a task folder around it leaves it out."""
    is_new = not path.is_dir() or not any(path.iterdir())
    path.mkdir(parents=True, exist_ok=True)
    if is_new:
        (path / MARKER).touch()


def remove_empty_runs_folder(path: Path) -> None:
    """Remove a folder for runs that holds none."""
    if path.is_dir() and [entry.name for entry in path.iterdir()] in ([], [MARKER]):
        (path / MARKER).unlink(missing_ok=True)
        path.rmdir()


def _is_result(path: Path) -> bool:
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and set(content) >= RESULT_KEYS


def _runs_below(folder: Path) -> Iterator[Path]:
    """Yield the run folders directly in a folder, and those in a folder of runs."""
    for pattern in ("*/settings.json", "*/*/settings.json"):
        yield from (path.parent for path in folder.glob(pattern) if is_run_folder(path.parent))


def _is_equal(path: Path, other: Path) -> bool:
    return path.is_file() and other.is_file() and filecmp.cmp(path, other, shallow=False)
