"""Choosing the rows that are withheld during the search, and those that it never has."""

from dataclasses import dataclass, replace

import numpy as np

from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.cutoff import MIN_ROWS
from mlestar.evaluation.holdout.disguised_ids import make_up_ids
from mlestar.evaluation.holdout.drawing import RowUnits, make_holdout, make_units
from mlestar.evaluation.holdout.holdout import Holdout, fewest_rows, holdout_name, labelled_rows
from mlestar.evaluation.holdout.periods import periods, shorten
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.row_order import hide_order
from mlestar.evaluation.holdout.series_ends import last_stretch, stretches
from mlestar.evaluation.holdout.shares import MAX_WITHHELD

MIN_APART = 200
"""Rows below which none are kept apart: the standard error of an accuracy of 0.8 is then 0.028, and a small table needs
its rows for training. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Division:
    """Which labelled rows the search withholds, and which it never has."""

    search: Holdout
    apart: Holdout | None
    """The rows that are kept apart, and what scripts train on when they are scored there; None where the rows are too
    few."""

    @property
    def note(self) -> str:
        """How many rows are kept apart, in words."""
        if self.apart is None:
            return "no rows are kept apart for the fresh score"
        return f"{len(self.apart.withheld):,} rows are kept apart for the fresh score: the search never has them"


def divide_rows(task: Task, plan: SplitPlan, *, seed: int, fresh_share: float) -> Division:
    """Keep rows apart, and choose the holdout of the search among the others.

    Raises:
        HoldoutError: no rows can be withheld under this plan.
    """
    apart = keep_apart(task, plan, seed=seed, share=fresh_share)
    if apart is not None:
        try:
            return Division(search_holdout(task, plan, seed=seed, apart=apart), apart)
        except HoldoutError:
            # The history before the rows that are kept apart is too short.
            apart = None
    return Division(search_holdout(task, plan, seed=seed), apart)


def keep_apart(task: Task, plan: SplitPlan, *, seed: int, share: float) -> Holdout | None:
    """Choose the rows that the search never has; None where they would be too few.

    They are whole units of the split; the last period or the last rows of series in splits by time, of at most one
    horizon.

    Args:
        task: with labels.
        plan: how rows are withheld.
        seed: of the run.
        share: of the rows that have a label; of a long table fewer.
    """
    labelled = int(labelled_rows(task).sum())
    if share * labelled < MIN_APART:
        return None
    share = min(share, MAX_WITHHELD / labelled)
    if plan.kind == "time":
        apart = next(iter(periods(task, shorten(task, plan, share), count=1, first=1)), None)
    elif plan.kind == "series":
        apart = last_stretch(task, plan, seed=seed, share=share)
    else:
        row_units = make_units(task, plan)
        unused = np.zeros(len(row_units.units), dtype=bool)
        withheld = row_units.draw(unused, share, np.random.default_rng([seed, 1, 1]), count_labelled=True)
        apart = make_holdout(holdout_name(1), row_units, withheld)
    if apart is None or len(apart.withheld) < _fewest_apart(plan, labelled):
        return None
    return hide_labels(task, plan, apart)


def search_holdout(task: Task, plan: SplitPlan, *, seed: int, apart: Holdout | None = None) -> Holdout:
    """Choose the rows that are withheld during the search.

    Args:
        task: with labels.
        plan: how rows are withheld.
        seed: of the run.
        apart: the rows that the search never has: they are neither in train nor withheld.

    Raises:
        HoldoutError: no rows can be withheld under this plan.
    """
    if plan.kind == "time":
        holdouts = periods(task, plan, count=1, apart=apart)
    elif plan.kind == "series":
        holdouts = stretches(task, plan, seed=seed, count=1, apart=apart)
    else:
        row_units = make_units(task, plan, apart)
        withheld = _draw_for_search(row_units, plan, seed=seed, count_labelled=apart is not None)
        holdouts = [make_holdout(holdout_name(0), row_units, withheld)]
    if not holdouts or not len(holdouts[0].withheld):
        msg = f"no rows of {task.spec.train} can be withheld by a {plan.kind} split"
        raise HoldoutError(msg)
    return hide_labels(task, plan, holdouts[0])


def fresh_holdouts(task: Task, plan: SplitPlan, *, seed: int, count: int) -> tuple[Holdout, ...]:
    """Choose up to `count` further holdouts whose rows the search has not seen, disjoint from each other.

    Splits by time use earlier cutoffs, shorter where history runs out; splits of series use other series, or earlier
    cutoffs where there are few. Fewer, or none, where no fresh rows remain.
    """
    if plan.kind == "time":
        return tuple(hide_labels(task, plan, one) for one in periods(task, plan, count=count + 1)[1:])
    if plan.kind == "series":
        return tuple(hide_labels(task, plan, one) for one in stretches(task, plan, seed=seed, count=count + 1)[1:])
    row_units = make_units(task, plan)
    used = _draw_for_search(row_units, plan, seed=seed)
    holdouts: list[Holdout] = []
    for number in range(1, count + 1):
        withheld = row_units.draw(used, plan.fraction, np.random.default_rng([seed, number]))
        if withheld.sum() < fewest_rows(len(withheld)):
            break
        holdouts.append(make_holdout(holdout_name(number), row_units, withheld))
        used |= withheld
    return tuple(hide_labels(task, plan, one) for one in holdouts)


def _draw_for_search(row_units: RowUnits, plan: SplitPlan, *, seed: int, count_labelled: bool = False) -> np.ndarray:
    """Return a mask of the rows that the search withholds, where they are drawn at random."""
    rng = np.random.default_rng([seed, 0])
    return row_units.draw(row_units.apart, plan.fraction, rng, count_labelled=count_labelled)


def hide_labels(task: Task, plan: SplitPlan, holdout: Holdout) -> Holdout:
    """Return the holdout with its rows in another order and under other ids, where order or ids reveal labels."""
    if plan.kind not in ("time", "series"):
        holdout = hide_order(task, holdout)
    return replace(holdout, ids=make_up_ids(task, plan, holdout))


def _fewest_apart(plan: SplitPlan, labelled: int) -> float:
    """Return how many rows are enough to be kept apart: a horizon may be few rows."""
    return MIN_ROWS if plan.kind in ("time", "series") else fewest_rows(labelled)
