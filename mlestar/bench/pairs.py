"""Pairs of rows of a benchmark: one task and seed, two tools, or one tool in two benchmarks."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from mlestar.bench.made_with import ANSWERS, TASK
from mlestar.bench.rows import BenchRow, Graded
from mlestar.metrics.spec import sign

_NORMAL_DRAWS = 200
"""Draws in place of resamples where only standard errors are known; as many as the grader makes of a short table."""
_NO_INFORMATION = "nothing can be learnt in their tasks"


@dataclass(frozen=True)
class Pair:
    """How the second row of a pair differs from the first; positive is better."""

    task: str
    seed: int
    difference: float | None
    """Of the scores; None where one of them is missing."""
    resampled: np.ndarray
    """The difference on every resample of the rows, the same resamples for all pairs of a task, NaN where a score is
    undefined on one; empty where the grader gave none."""
    row_error: float
    """Standard error of the difference over the choice of rows; 0 where it is unknown."""
    outcomes: np.ndarray
    """1 where the second is better, -1 where it is worse, 0 where both are equal, on every resample."""

    @property
    def advantage(self) -> float:
        """From -1, the second is worse on all resamples, to 1, it is better on all."""
        return float(self.outcomes.mean())


@dataclass(frozen=True)
class Pairs:
    """All pairs of two sets of rows."""

    found: tuple[Pair, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that are in no pair, by the reason."""

    @property
    def by_task(self) -> dict[str, tuple[Pair, ...]]:
        """The pairs of each task."""
        tasks = dict.fromkeys(pair.task for pair in self.found)
        return {task: tuple(pair for pair in self.found if pair.task == task) for task in tasks}


def pair_rows(first: Iterable[BenchRow], second: Iterable[BenchRow], no_information: Collection[str] = ()) -> Pairs:
    """Pair the rows of one tool with those of another, by task and seed.

    A row without a score is worse than one with a score. A tool that could not be installed, or does not handle such
    data, is compared on the other tasks only.

    Args:
        first: rows of one tool.
        second: rows of another, or of the same tool in another benchmark.
        no_information: tasks in which nothing can be learnt, so that no tool can be better; they are left out.
    """
    rows = {(row.task, row.seed): row for row in first}
    others = {(row.task, row.seed): row for row in second}
    left_out: dict[str, int] = {}
    if alone := len(rows.keys() ^ others.keys()):
        left_out["in one of the two only"] = alone
    found: list[Pair] = []
    for key in sorted(rows.keys() & others.keys()):
        if reason := _NO_INFORMATION if key[0] in no_information else _mismatch(rows[key], others[key]):
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            found.append(_pair(rows[key], others[key]))
    return Pairs(tuple(found), left_out)


def _mismatch(first: BenchRow, second: BenchRow) -> str:
    """Return why two rows cannot be compared; empty where they can."""
    if "unavailable" in (first.status, second.status):
        return "a tool was unavailable"
    for name, what in ((TASK, "other task data"), (ANSWERS, "other answers")):
        if "" not in (known := {row.made_with.get(name, "") for row in (first, second)}) and len(known) > 1:
            return what
    if first.graded.score is None or second.graded.score is None:
        return ""
    same = (first.metric, first.direction) == (second.metric, second.direction)
    return "" if same else "different metrics"


def _pair(first: BenchRow, second: BenchRow) -> Pair:
    before, after = first.graded, second.graded
    if before.score is None or after.score is None:
        solved = (after.score is not None) - (before.score is not None)
        return Pair(first.task, first.seed, None, np.array([]), 0.0, np.array([solved]))
    factor = sign(first.direction)
    difference = factor * (after.score - before.score)
    resampled = factor * _resampled(before, after)
    defined = resampled[np.isfinite(resampled)]
    if len(defined) > 1:
        return Pair(first.task, first.seed, difference, resampled, float(defined.std()), np.sign(defined))
    # The errors of two submissions for the same rows are correlated, so this error is too large.
    error = float(np.hypot(before.standard_error or 0.0, after.standard_error or 0.0))
    return Pair(first.task, first.seed, difference, np.array([]), error, _outcomes(difference, error))


def _resampled(before: Graded, after: Graded) -> np.ndarray:
    """Return the differences on the same resamples; none where they cannot be matched."""
    if len(before.resampled) != len(after.resampled):
        return np.array([])
    difference: np.ndarray = np.array(after.resampled, dtype=float) - np.array(before.resampled, dtype=float)
    return difference


def _outcomes(difference: float, error: float) -> np.ndarray:
    """Return which is better, as often as normal errors imply; without an error, by the scores alone."""
    if difference == 0 or error == 0:
        return np.array([np.sign(difference)])
    worse = round(_NORMAL_DRAWS * float(ndtr(-difference / error)))
    return np.repeat([-1.0, 1.0], [worse, _NORMAL_DRAWS - worse])
