"""The solutions of a run as a table, best first."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlestar.errors import clean_text
from mlestar.report.ranking import Ranked, rank

if TYPE_CHECKING:
    from mlestar.report.result import Result

TEXTS = ("title", "plan", "message", "origin")


def leaderboard(result: "Result") -> "pd.DataFrame":
    """Return the solutions by id, best first, with the score that chooses and all others."""
    rows = [_record(one, result.winner) for one in rank(result)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).set_index("id")
    numbers = [name for name, kind in COLUMNS.items() if kind is float]
    return frame.astype(dict.fromkeys(numbers, float))


COLUMNS: dict[str, type] = {
    "id": str,
    "title": str,
    "score": float,
    "score_se": float,
    "rows": str,
    "winner": bool,
    "fresh": float,
    "fresh_se": float,
    "holdout": float,
    "holdout_se": float,
    "reported": float,
    "gain": float,
    "gain_se": float,
    "parent": str,
    "origin": str,
    "track": int,
    "seconds": float,
    "status": str,
    "plan": str,
    "message": str,
}
"""Columns of the table. `score` is the one that chooses, on `rows`; `gain` is over `parent`."""


def _record(ranked: Ranked, winner: str | None) -> dict[str, Any]:
    row, choosing = ranked.row, ranked.choosing
    scores: dict[str, Any] = {"score": None, "score_se": None, "rows": ""}
    if choosing:
        scores = {"score": choosing.score, "score_se": choosing.error, "rows": choosing.rows}
    plain = {name: getattr(row, name) for name in ("id", "gain", "gain_se", "track", "seconds", "status")}
    texts = {name: clean_text(getattr(row, name)) for name in TEXTS}
    parent = row.compared or row.parent or ""
    return {**row.score.model_dump(), **plain, **texts, **scores, "winner": row.id == winner, "parent": parent}
