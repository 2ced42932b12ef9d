"""Whether the order of the rows reveals labels, and shuffling withheld rows where it does.

Withheld rows that stay in the order of train are a sorted sample of it: in a table that is sorted by label the first
ones have the first label. So a row is guessed from the kept rows at the same share of their file.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation.holdout.clock import read_clock
from mlestar.evaluation.holdout.guessing import NOTHING, DividedLabels, Guess, secret_generator, sorted_places
from mlestar.evaluation.holdout.holdout import Holdout

MIN_Z = 5.0
"""Standard errors from which an order reveals labels: a table of random labels exceeds it once in about a million
times, as three windows are tried."""
# The limits below were chosen by judgement; none was measured.
_BEYOND = 3.0
"""Standard errors by which the order must say more than columns that the rows are sorted by."""
_ORDERED = 0.95
"""Rank correlation with the position from which rows are sorted by a column."""
_BLOCKED = 0.5
"""Share of rows with the same cell as the row before them from which the file is sorted by groups."""
_BY_CHANCE = 3
"""How much more often than by chance rows must have the cell of the row before them."""
_MAX_COLUMNS = 100
"""Columns that are compared with the order."""


def hide_order(task: Task, holdout: Holdout) -> Holdout:
    """Return the holdout with its withheld rows in a random order if their order in train reveals labels.

    Rows of one unit stay together where they are the tokens of a sentence.
    """
    if not order_reveals(task, holdout):
        return holdout
    rng = secret_generator(task, f"order of {holdout.name}")
    order = rng.permutation(len(holdout.withheld))
    if task.layout.split is not None:
        # Stable, so that the tokens of a sentence keep their order.
        _, unit = np.unique(holdout.units, return_inverse=True)
        order = np.argsort(rng.permutation(int(unit.max()) + 1)[unit], kind="stable")
    return replace(holdout, withheld=holdout.withheld[order], units=holdout.units[order])


def order_reveals(task: Task, holdout: Holdout) -> bool:
    """Return whether the order of withheld rows reveals more than the columns by which the file is sorted."""
    train, withheld = holdout.train, holdout.withheld
    if not len(train) or not len(withheld):
        return False
    labels = DividedLabels.of_task(task, train, withheld, holdout.units)
    by_order = guess_by_order(labels)
    if by_order.z < MIN_Z:
        return False
    error = by_order.share / by_order.z if by_order.z else 0.0
    by_columns = (_guess_by_column(task, holdout, labels, column) for column in _shared(task))
    return all(by_order.share > guess.share + _BEYOND * error for guess in by_columns)


def guess_by_order(labels: DividedLabels) -> Guess:
    """Guess each withheld row from the kept rows at the same share of their file."""
    count = len(labels.withheld)
    places = (np.arange(count) + 0.5) / max(1, count) * len(labels.kept)
    return labels.by_place(places)


def _shared(task: Task) -> Iterator[str]:
    """Yield the columns, besides the id, that test rows have as well."""
    shared = [column for column in task.test.columns if column in task.train.columns and column != task.spec.id]
    yield from shared[:_MAX_COLUMNS]


def _guess_by_column(task: Task, holdout: Holdout, labels: DividedLabels, column: str) -> Guess:
    """Guess by a column if the file is sorted by it; its information is no secret of the order."""
    cells = task.train.rows[column].str.strip()
    clock = read_clock(column, cells, decimals=True)
    if clock is not None and _is_ordered(clock.values):
        values = np.nan_to_num(clock.values, nan=float(np.nanmedian(clock.values)))
        places, order = sorted_places(values[holdout.train], values[holdout.withheld])
        return labels.by_place(places, order)
    groups = pd.factorize(cells)[0]
    if not _is_blocked(groups):
        return NOTHING
    return labels.by_group(groups[holdout.train], groups[holdout.withheld])


def _is_ordered(values: np.ndarray) -> bool:
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 2 or np.ptp(values[known]) == 0:
        return False
    return bool(abs(pd.Series(values[known]).corr(pd.Series(known), method="spearman")) >= _ORDERED)


def _is_blocked(groups: np.ndarray) -> bool:
    """Return whether equal cells are beside each other far more often than by chance."""
    if len(groups) < 2 or groups.max() < 1:
        return False
    same = float((groups[1:] == groups[:-1]).mean())
    by_chance = float(((np.bincount(groups[groups >= 0]) / len(groups)) ** 2).sum())
    return same >= max(_BLOCKED, min(_BY_CHANCE * by_chance, 0.99))
