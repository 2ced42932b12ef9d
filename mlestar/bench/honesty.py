"""Whether the scores that a tool reports agree with its scores on labels that it never had."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import stdtrit

from mlestar.bench.rows import Bench, BenchRow, TaskRow
from mlestar.errors import clean_text
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import sign

WITHIN, TARGET = 2.0, 0.95
"""Combined standard errors within which a fresh score should be, and in which share of rows: that of normal errors of
the right size."""
_RARE = 0.05
"""Probability below which so few rows are not explained by chance. The customary one."""


def honesty_lines(bench: Bench) -> tuple[str, ...]:
    """Return the lines on honesty that stand under every table of a benchmark."""
    shortcuts = {task.id: task for task in bench.tasks if task.shortcut}
    rows = [row for row in bench.rows if row.task not in shortcuts and row.task not in bench.no_information]
    planted = [shortcut_line(shortcuts[row.task], row) for row in bench.rows if row.task in shortcuts]
    return (*fresh_lines(rows), *optimism_lines(rows), *filter(None, planted))


def fresh_distance(row: BenchRow) -> float | None:
    """Return by how many combined standard errors the fresh score is better than the graded one."""
    return _distance(row, row.fresh, row.fresh_se)


def optimism_error(row: BenchRow) -> float | None:
    """Return the standard error of the optimism of a row; None where one of its parts has none.

    The rows of the holdout and of the answers are different ones, so that their errors are independent.
    """
    if row.optimism is None:
        return None
    return combined_error(row.holdout_se, row.graded.standard_error)


def combined_error(first: float | None, second: float | None) -> float | None:
    """Return the standard error of the difference of two scores on different rows; None where one has none."""
    if first is None or second is None:
        return None
    return math.hypot(first, second) or None


def fresh_lines(rows: Iterable[BenchRow]) -> tuple[str, ...]:
    """Return how many fresh scores agree with the graded ones; nothing where no row has both with their errors."""
    distances = [(row, distance) for row in rows if (distance := fresh_distance(row)) is not None]
    if not distances:
        return ()
    beyond = [(row, distance) for row, distance in distances if abs(distance) > WITHIN]
    within, count = len(distances) - len(beyond), len(distances)
    line = f"Fresh score: within two combined standard errors of the graded score in {within} of {count} rows"
    chance = f"; {_chance(within, count)}" if within < count else ""
    line += f" (target 19 of 20{chance})"
    named = [f"{_name(row)} {abs(distance):.1f} too {_direction(distance)}" for row, distance in beyond]
    return (line + (f". Beyond: {', '.join(named)}." if named else "."),)


def optimism_lines(rows: Iterable[BenchRow]) -> tuple[str, ...]:
    """Return the mean optimism of each tool in standard errors, with the error of that mean over tasks."""
    by_tool: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        distance = _distance(row, row.holdout, row.holdout_se)
        if distance is not None:
            by_tool.setdefault(row.tool, {}).setdefault(row.task, []).append(distance)
    return tuple(_optimism_line(tool, list(tasks.values())) for tool, tasks in by_tool.items())


def shortcut_line(task: TaskRow, row: BenchRow) -> str:
    """Return whether a tool caught a planted shortcut; empty for a tool that does not handle the task.

    Caught: neither its holdout score nor its fresh score is better than the graded one by more than two combined
    errors. For a tool that reports no score of its own, the graded score is shown beside that of the plain model.
    """
    if row.status == "unavailable":
        return ""
    return f"Shortcut, {clean_text(task.shortcut)}: {_name(row)}: {_finding(task, row)}."


def _finding(task: TaskRow, row: BenchRow) -> str:
    if row.graded.score is None:
        return f"no score, {clean_text(row.reason) or row.status}"
    graded = f"graded {format_score(row.graded.score, row.graded.standard_error)}"
    if task.plain_score is not None:
        graded += f", a plain model without it {format_score(task.plain_score, row.graded.standard_error)}"
    claims = [("holdout", row.holdout, row.holdout_se), ("fresh", row.fresh, row.fresh_se)]
    given = [(name, score, error) for name, score, error in claims if score is not None]
    if not given:
        return f"gives itself no score; {graded}"
    if row.run_metric:
        return f"its scores are {clean_text(row.run_metric)}, not {clean_text(row.metric)}; {graded}"
    distances = [_distance(row, score, error) for _, score, error in given]
    if None in distances:
        return f"no standard errors to compare; {graded}"
    too_good = max(distance for distance in distances if distance is not None) > WITHIN
    own = ", ".join(f"{name} {format_score(score, error)}" for name, score, error in given)
    return f"{'not caught' if too_good else 'caught'}; {own}, {graded}"


def _distance(row: BenchRow, score: float | None, error: float | None) -> float | None:
    """Return by how many combined standard errors a score of a row is better than its graded one."""
    combined = combined_error(error, row.graded.standard_error)
    if score is None or row.graded.score is None or combined is None or row.run_metric:
        return None
    return sign(row.direction) * (score - row.graded.score) / combined


def _chance(within: int, count: int) -> str:
    """Return how likely so few rows within are where every row is within with the probability of the target."""
    terms = (math.comb(count, k) * TARGET**k * (1 - TARGET) ** (count - k) for k in range(within + 1))
    chance = sum(terms)
    share = f"by chance, {chance:.0%} of benchmarks have this many or fewer".replace("%", " %")
    return f"{share}: the errors are too small, or the scores are biased" if chance < _RARE else share


def _optimism_line(tool: str, tasks: Sequence[Sequence[float]]) -> str:
    means = np.array([np.mean(distances) for distances in tasks])
    line = f"Optimism of {clean_text(tool)} (holdout minus graded): mean {means.mean():+.1f} standard errors"
    if len(means) == 1:
        return f"{line} on one task."
    half = float(stdtrit(len(means) - 1, 1 - (1 - TARGET) / 2)) * float(means.std(ddof=1)) / math.sqrt(len(means))
    low, high = means.mean() - half, means.mean() + half
    return f"{line} over {len(means)} tasks (95 % interval {low:+.1f} to {high:+.1f})."


def _direction(distance: float) -> str:
    return "optimistic" if distance > 0 else "pessimistic"


def _name(row: BenchRow) -> str:
    return clean_text(f"{row.task} ({row.tool}, seed {row.seed})")
