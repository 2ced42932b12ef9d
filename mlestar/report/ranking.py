"""The score that chooses among the solutions of a run, and the order that it puts them in.

`benchmarks/fresh.py` simulates the ways to choose. The fresh rows and the holdout together pick better scripts than
the fresh rows alone, unless a script has learnt something of the labels of the holdout: then its holdout score is far
better than its fresh one, and counts for nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from mlestar.metrics.spec import Direction, sign

if TYPE_CHECKING:
    from mlestar.report.result import Result, Score, SolutionRow

TOO_GOOD = 2.0
"""Standard errors of their difference by which the holdout score of a finalist may be better than its fresh score.
Measured in `benchmarks/fresh.py`, of 1, 1.5, 2 and 3: where a script had copied labels of 1,000 rows, 0.245, 0.278,
0.338 and 0.605 points of accuracy were lost; with 1 and 1.5 the holdout was left out more often where none had."""

Rows = Literal["fresh", "holdout", "fresh and holdout", "reported", ""]


@dataclass(frozen=True)
class Choosing:
    """The score by which a solution is chosen."""

    score: float
    error: float | None
    rows: Rows
    """What it was graded on; `reported` where no rows were withheld."""


@dataclass(frozen=True)
class Ranked:
    """A solution at its place."""

    row: "SolutionRow"
    choosing: Choosing | None
    """None: it has no score."""


def choosing_scores(direction: Direction, finalists: Mapping[str, "Score"]) -> dict[str, Choosing]:
    """Return what finalists are ordered by: means of holdout and fresh scores, or the fresh scores alone.

    Each is weighted by its error, the same for all finalists, as only the differences between them count.

    Args:
        direction: of the metric.
        finalists: scores by id; those without a fresh score are left out.
    """
    scores = {name: score for name, score in finalists.items() if score.fresh is not None}
    fresh = {name: Choosing(score.fresh or 0.0, score.fresh_se, "fresh") for name, score in scores.items()}
    errors = [(score.holdout_se or 0.0, score.fresh_se or 0.0) for score in scores.values()]
    if not all(score.blind for score in scores.values()) or not all(min(pair) > 0 for pair in errors):
        return fresh
    both: dict[str, Choosing] = {}
    weights = [1 / median(side) ** 2 for side in zip(*errors, strict=True)]
    for (name, score), pair in zip(scores.items(), errors, strict=True):
        searched, confirmed = score.holdout, fresh[name].score
        if searched is None or sign(direction) * (searched - confirmed) > TOO_GOOD * math.hypot(*pair):
            return fresh
        mean = (weights[0] * searched + weights[1] * confirmed) / sum(weights)
        error = math.hypot(weights[0] * pair[0], weights[1] * pair[1]) / sum(weights)
        both[name] = Choosing(mean, error, "fresh and holdout")
    return both


def rank(result: "Result") -> list[Ranked]:
    """Return all solutions, best first: finalists by the score that chooses among them, then the others.

    After the finalists come those without a fresh score by their score of the search, then those that failed on fresh
    rows, then those without any score.
    """
    finalists = choosing_scores(result.direction, {row.id: row.score for row in result.solutions})
    failed = {rescoring.solution for rescoring in result.rescorings if rescoring.failed}
    ranked = [Ranked(row, finalists.get(row.id) or _searched(row)) for row in result.solutions]

    def position(one: Ranked) -> tuple[int, float]:
        if one.choosing is None:
            return 3, 0.0
        group = 0 if one.row.id in finalists else (2 if one.row.id in failed else 1)
        return group, -sign(result.direction) * one.choosing.score

    return sorted(ranked, key=position)


def _searched(row: "SolutionRow") -> Choosing | None:
    """Return the score that guided the search; None for a script without one."""
    score = row.score
    if row.status != "ok":
        return None
    if score.holdout is not None:
        return Choosing(score.holdout, score.holdout_se, "holdout")
    return None if score.reported is None or row.standing else Choosing(score.reported, None, "reported")
