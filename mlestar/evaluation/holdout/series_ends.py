"""Holdouts of splits of series: the last rows of each, or of some of them."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from mlestar.data.task import Task
from mlestar.evaluation.holdout.holdout import Holdout, fewest_rows, holdout_name, labelled_rows
from mlestar.evaluation.holdout.period import require_clock
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.rule import row_names
from mlestar.evaluation.holdout.stretches import Stretch, cut_stretches

# The limits below were chosen by judgement; none was measured.
_MIN_DIVIDED = 20
"""Series from which these are divided among the holdouts; fewer are withheld in every holdout, at earlier times."""
_FRESH_SHARE = 0.5
"""Share of the rows that the search withholds from each series from which earlier stretches are enough."""


def last_stretch(task: Task, plan: SplitPlan, *, seed: int, share: float) -> Holdout | None:
    """Return the last rows of the series that are kept apart: of half of them, of all where these are few."""
    first = next(_cut(task, plan, seed=seed), None)
    if first is None:
        return None
    series = _permute(first, seed)
    if len(series) >= _MIN_DIVIDED:
        return _divide(first, series, 2)[1]
    shorter = next(_cut(task, plan, seed=seed, share=share), None)
    return None if shorter is None else Holdout(holdout_name(1), shorter.train, shorter.withheld, shorter.series)


def stretches(task: Task, plan: SplitPlan, *, seed: int, count: int, apart: Holdout | None = None) -> list[Holdout]:
    """Return holdouts of the last stretch of series: of other series each, or at earlier times where these are few."""
    cuts = _cut(task, plan, seed=seed)
    first = next(cuts, None)
    if first is None:
        return []
    series = _permute(first, seed)
    if len(series) >= _MIN_DIVIDED:
        return _divide(first, series, count)
    if apart is not None:
        return _stretch_before(task, plan, apart, seed=seed)
    holdouts = [Holdout(holdout_name(0), first.train, first.withheld, first.series)]
    for stretch in islice(cuts, count - 1):
        if len(stretch.withheld) < _enough_fresh(holdouts[0], len(task.train.rows)):
            break
        holdouts.append(Holdout(holdout_name(len(holdouts)), stretch.train, stretch.withheld, stretch.series))
    return holdouts


def _stretch_before(task: Task, plan: SplitPlan, apart: Holdout, *, seed: int) -> list[Holdout]:
    """Return the last stretch of the rows before those that are kept apart."""
    stretch = next(_cut(task, plan, seed=seed, rows=apart.train), None)
    if stretch is None:
        return []
    train = np.intersect1d(stretch.train, apart.train)
    return [Holdout(holdout_name(0), train, stretch.withheld, stretch.series)]


def _cut(
    task: Task, plan: SplitPlan, *, seed: int, share: float = 1.0, rows: np.ndarray | None = None
) -> Iterator[Stretch]:
    """Yield stretches of series, the last first.

    Args:
        task: with labels.
        plan: by series.
        seed: of the run.
        share: of the rows of each series that a stretch has at most.
        rows: those that may be withheld, None for all.
    """
    train, test = task.train.rows, task.test.rows
    values = require_clock(train, plan.keys, plan.group_rule).values
    names = row_names(train, plan.series, plan.series_rule)
    usable = labelled_rows(task) & np.isfinite(values) & (names != "").to_numpy()
    if rows is not None:
        usable &= np.isin(np.arange(len(train)), rows)
    sizes = None
    if set(plan.series) <= set(test.columns) and len(test) > 0:
        sizes = row_names(test, plan.series, plan.series_rule).value_counts()
        most = np.ceil(share * names[usable].value_counts().reindex(sizes.index, fill_value=0))
        sizes = sizes.clip(upper=most)
    plan = plan.model_copy(update={"fraction": min(plan.fraction, share)})
    return cut_stretches(names, values, usable, sizes, plan, np.random.default_rng([seed, 0]))


def _permute(stretch: Stretch, seed: int) -> np.ndarray:
    """Return the series of a stretch in the order in which they are divided among the holdouts."""
    return np.random.default_rng([seed, 1]).permutation(np.unique(stretch.series))


def _divide(stretch: Stretch, series: np.ndarray, count: int) -> list[Holdout]:
    """Give half of the series to the search and divide the others among the fresh holdouts.

    The last rows of all series are left out of train for every holdout: others may show what happened then. So all
    holdouts have the same history, which is longer than that before an earlier stretch.
    """
    half = len(series) // 2
    parts = [series[:half], *(np.array_split(series[half:], count - 1) if count > 1 else [])]
    holdouts: list[Holdout] = []
    for number, part in enumerate(parts):
        members = np.isin(stretch.series, part)
        if not members.any():
            break
        holdouts.append(
            Holdout(holdout_name(number), stretch.train, stretch.withheld[members], stretch.series[members])
        )
    return holdouts


def _enough_fresh(holdout: Holdout, rows: int) -> float:
    """Return how many rows of earlier stretches are enough: the horizon may be few rows of long series."""
    return min(_FRESH_SHARE * len(holdout.withheld), fewest_rows(rows))
