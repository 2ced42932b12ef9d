"""The scripts of a run."""

from mlestar.report.result import Result
from mlestar.store import RunFolder


def read_scripts(folder: RunFolder, result: Result) -> dict[str, str]:
    """Return the scripts of a run by the ids of their solutions, as far as they are there."""
    scripts = {}
    for row in result.solutions:
        path = folder.path / row.script if row.script else None
        if path is not None and path.is_file():
            scripts[row.id] = path.read_text(encoding="utf-8", errors="replace")
    return scripts
