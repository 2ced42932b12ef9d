"""Rows of a benchmark whose scores are those of generated predictions."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mlestar.bench.rows import Bench, BenchRow, Conditions, Graded, TaskRow

TASKS, ROWS, RESAMPLES = 9, 400, 100


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


def tool_rows(tool: str, accuracy: float, *, tasks: int = TASKS, seeds: int = 1) -> list[BenchRow]:
    """Return a tool that is right on a share of rows, on several tasks."""
    return [graded_row(task, tool, accuracy, seed=seed) for task, seed in product(range(tasks), range(seeds))]


def write_bench(folder: Path, rows: list[BenchRow], tasks: tuple[TaskRow, ...] = (), **conditions: object) -> Path:
    """Write a benchmark as `mlestar bench` does, and return its folder."""
    folder.mkdir(parents=True)
    bench = Bench(suite="suite", conditions=Conditions.model_validate(conditions), tasks=tasks, rows=tuple(rows))
    (folder / "bench.json").write_text(bench.model_dump_json(), encoding="utf-8")
    return folder
