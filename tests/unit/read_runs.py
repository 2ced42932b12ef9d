"""Results that are made by hand, and runs whose models answer with hostile text, for what reads runs."""

from pathlib import Path
from typing import Any

from mlestar.metrics.spec import Direction
from mlestar.report import Result, Score
from mlestar.report.result import SolutionRow
from mlestar.store import RunFolder
from tests.unit.hostile import HOSTILE

MARKS = "".join(HOSTILE.values()).replace("\ud800", "")
HOSTILE_TEXT = f"<script>alert(1)</script> [red]markup[/red] [/] {MARKS} end"

HOSTILE_FIELDS: dict[str, Any] = dict.fromkeys(("title", "plan", "message", "origin"), HOSTILE_TEXT)
"""Of a solution."""


def row(name: str, holdout: float | None = None, *, fresh: float | None = None, **fields: object) -> SolutionRow:
    """Return a solution; without a score it failed."""
    blind = bool(fields.pop("blind", False))
    score = Score(
        holdout=holdout, holdout_se=0.02, fresh=fresh, fresh_se=0.02 if fresh is not None else None, blind=blind
    )
    values: dict[str, object] = {
        "id": name,
        "origin": "candidate",
        "track": 0,
        "title": name.upper(),
        "parent": None,
        "plan": "",
        "status": "ok" if holdout is not None or fresh is not None else "error",
        "message": "",
        "score": score,
        "seconds": 1.0,
        "script": None,
    }
    return SolutionRow.model_validate({**values, **fields})


def make_result(
    *rows: SolutionRow, direction: Direction = "maximize", folder: Path | None = None, **fields: object
) -> Result:
    """Return a result with these solutions; the first one is the winner."""
    winner = rows[0] if rows else None
    values: dict[str, object] = {
        "run_id": folder.name if folder else "run",
        "task": "t",
        "status": "solved",
        "metric": "accuracy",
        "direction": direction,
        "score": winner.score if winner else Score(),
        "winner": winner.id if winner else None,
        "folder": str(folder or "/runs/run"),
        "solutions": rows,
    }
    return Result.model_validate({**values, **fields})


def write_run(
    runs_dir: Path, name: str, *rows: SolutionRow, settings: dict[str, object] | None = None, **fields: object
) -> Result:
    """Write a run folder with nothing but settings and a result."""
    folder = RunFolder(runs_dir, name)
    folder.create()
    folder.record_settings(runs_dir / "task", settings or {})
    result = make_result(*rows, folder=folder.path, **fields)  # type: ignore[arg-type]  # fields of any type
    folder.write_json(folder.result, result.model_dump(mode="json"))
    return result
