"""Holdouts of splits by time: successive periods, the latest first."""

import numpy as np

from mlestar.data.task import Task
from mlestar.evaluation.holdout.cutoff import cut_period, time_units
from mlestar.evaluation.holdout.holdout import Holdout, fewest_rows, holdout_name, labelled_rows
from mlestar.evaluation.holdout.period import require_clock
from mlestar.evaluation.holdout.plan import SplitPlan


def periods(task: Task, plan: SplitPlan, *, count: int, apart: Holdout | None = None, first: int = 0) -> list[Holdout]:
    """Return holdouts of successive periods, the latest first, all before the period that is kept apart.

    They are numbered from `first` on; number 0 is that of the search.
    """
    clock = require_clock(task.train.rows, plan.keys, plan.group_rule)
    values = np.where(labelled_rows(task), clock.values, np.nan)
    end, holdouts = float(np.nanmax(values)), list[Holdout]()
    if apart is not None:
        end = float(np.nextafter(values[apart.withheld].min(), -np.inf))
    while len(holdouts) < count:
        cut = cut_period(values, end, plan.span or 0.0, plan.gap)
        if cut is None:
            break
        withheld = np.flatnonzero(cut.withheld)
        if holdouts and len(withheld) < fewest_rows(len(values)):
            break
        units = time_units(values[withheld], dates=clock.dates)
        name = holdout_name(first + len(holdouts))
        holdouts.append(Holdout(name, np.flatnonzero(cut.train), withheld, units))
        end = float(np.nextafter(cut.start, -np.inf))
    return holdouts


def shorten(task: Task, plan: SplitPlan, share: float) -> SplitPlan:
    """Return a plan by time of a shorter period where the plan's has more than this share of the rows.

    The rows of one time stay together: as many times as come nearest to the share.
    """
    values = require_clock(task.train.rows, plan.keys, plan.group_rule).values[labelled_rows(task)]
    times, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    if not len(times):
        return plan
    last = np.cumsum(counts[::-1])
    start = times[len(times) - 1 - int(np.abs(last - share * counts.sum()).argmin())]
    return plan.model_copy(update={"span": min(plan.span or 0.0, float(times[-1] - start))})
