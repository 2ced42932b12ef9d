"""Rows of a benchmark whose scores are those of generated predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlestar.bench.rows import BenchRow, Graded

ROWS, RESAMPLES = 400, 100


def graded_row(task: int, tool: str, accuracy: float, *, seed: int = 0, rows: int = ROWS) -> BenchRow:
    """Return a tool that is right on a share of rows; tools fail on the same rows of a task as far as they can.

    Its share varies from run to run by 0.01 (standard deviation).
    """
    rng = np.random.default_rng([task, seed, *tool.encode()])
    hard = np.random.default_rng(task).random(rows)
    own = accuracy + 0.01 * rng.normal()
    difficulty = hard + rng.random(rows)
    right = (difficulty < np.quantile(difficulty, own)).astype(float)
    drawn = np.random.default_rng([task, 1]).integers(0, rows, (RESAMPLES, rows))
    resampled = right[drawn].mean(axis=1)
    graded = Graded(score=right.mean(), standard_error=resampled.std(ddof=1), resampled=tuple(resampled))
    return BenchRow(task=f"task-{task}", tool=tool, seed=seed, status="graded", metric="accuracy", graded=graded)


def scored_row(
    task: str,
    score: float | None,
    *,
    seed: int = 0,
    error: float | None = None,
    resampled: Sequence[float] = (),
    **fields: Any,
) -> BenchRow:
    """Return a row with the given score; without one, a run that failed."""
    graded = Graded(score=score, standard_error=error, resampled=tuple(resampled))
    status = "failed" if score is None else "graded"
    row = BenchRow(task=task, tool="tool", seed=seed, status=status, metric="accuracy", graded=graded)
    return row.model_copy(update=fields)
