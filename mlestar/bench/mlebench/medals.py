"""Which scores get a medal on a leaderboard.

The ranks are those of Kaggle's progression system, by the number of teams, as MLE-bench applies them: shares of the
teams are rounded down to whole ranks, but not below 1, and a score as good as that at the rank gets the medal. A score
is above the median if it is better than the median.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mlestar.bench.rows import Medal, Standing
from mlestar.errors import UserError
from mlestar.files import open_regular, read_regular
from mlestar.metrics.spec import Direction, better

DECIMALS = 5
"""Decimals to which a score is rounded before it is compared with the leaderboard, as in MLE-bench."""
MEDALS: tuple[Medal, ...] = ("gold", "silver", "bronze")
THRESHOLDS = (*MEDALS, "median")


def ranks(teams: int) -> dict[Medal, int]:
    """Return the last rank that has each medal.

    Raises:
        ValueError: there is no team.
    """
    if teams < 1:
        msg = "a leaderboard needs at least one team"
        raise ValueError(msg)
    if teams < 100:
        return {"gold": _share(teams, 0.1), "silver": _share(teams, 0.2), "bronze": _share(teams, 0.4)}
    if teams < 250:
        return {"gold": 10, "silver": _share(teams, 0.2), "bronze": _share(teams, 0.4)}
    gold = 10 + int(teams * 0.002)
    if teams < 1000:
        return {"gold": gold, "silver": 50, "bronze": 100}
    return {"gold": gold, "silver": _share(teams, 0.05), "bronze": _share(teams, 0.1)}


def _share(teams: int, share: float) -> int:
    return max(1, int(teams * share))


@dataclass(frozen=True)
class Thresholds:
    """The worst score with each medal, and the median of all teams."""

    scores: dict[str, float]
    """`gold`, `silver`, `bronze` and `median`."""
    direction: Direction
    teams: int | None = None

    def standing(self, score: float) -> Standing:
        """Return where a score is on the leaderboard; it is rounded first."""
        rounded = round(score, DECIMALS)
        medals = (medal for medal in MEDALS if not better(self.direction, self.scores[medal], rounded))
        return Standing(
            medal=next(medals, None),
            above_median=better(self.direction, rounded, self.scores["median"]),
            thresholds=self.scores,
            teams=self.teams,
        )


def leaderboard_direction(scores: Sequence[float]) -> Direction:
    """Return which scores are better: the first row of a leaderboard is the best one."""
    return "minimize" if scores[0] < scores[-1] else "maximize"


def leaderboard_thresholds(scores: Sequence[float]) -> Thresholds:
    """Return the thresholds of a leaderboard.

    Args:
        scores: of all teams, the best first.

    Raises:
        ValueError: there is no team.
    """
    at_rank: dict[str, float] = {medal: float(scores[rank - 1]) for medal, rank in ranks(len(scores)).items()}
    median = float(pd.Series(scores, dtype=float).median())
    return Thresholds({**at_rank, "median": median}, leaderboard_direction(scores), len(scores))


def read_leaderboard(path: Path) -> Thresholds:
    """Return the thresholds of a leaderboard in a CSV file with a column `score`, the best team first.

    Raises:
        UserError: it cannot be read, has no scores, or one that is no number.
    """
    try:
        with open_regular(path) as file:
            frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        msg = f"{path}: the leaderboard cannot be read: {error}"
        raise UserError(msg) from error
    if "score" not in frame.columns or frame.empty:
        msg = f"{path}: a leaderboard needs a column 'score' and a row for each team"
        raise UserError(msg)
    scores = pd.to_numeric(frame["score"], errors="coerce").astype(float)
    if not scores.map(math.isfinite).all():
        msg = f"{path}: every score of a leaderboard must be a number"
        raise UserError(msg)
    return leaderboard_thresholds(scores.tolist())


def read_medals(path: Path) -> Thresholds:
    """Return the thresholds in a `medals.json`: `gold`, `silver`, `bronze`, `median`, `direction` and perhaps `teams`.

    Raises:
        UserError: it cannot be read, or lacks one of them.
    """
    content = read_object(path)
    scores = {name: content.get(name) for name in THRESHOLDS}
    wrong = [name for name, score in scores.items() if not _is_number(score)]
    if wrong:
        msg = f"{path}: {wrong[0]} must be a number"
        raise UserError(msg)
    direction = content.get("direction")
    if direction not in ("maximize", "minimize"):
        msg = f"{path}: direction must be maximize or minimize"
        raise UserError(msg)
    teams = content.get("teams")
    numbers = {name: float(score) for name, score in scores.items() if score is not None}
    return Thresholds(numbers, direction, teams if isinstance(teams, int) else None)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        UserError: the file cannot be read, or holds no JSON object.
    """
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} cannot be read: {error}"
        raise UserError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path} must hold a JSON object"
        raise UserError(msg)
    return content


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
