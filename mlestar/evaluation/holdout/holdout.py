"""Choosing the train rows that are withheld."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from mlestar.data.targets import labelled_mask, usable_mask
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.cutoff import MIN_ROWS, cut_period, time_units
from mlestar.evaluation.holdout.period import require_clock
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.rule import row_names
from mlestar.evaluation.holdout.shares import MAX_WITHHELD
from mlestar.evaluation.holdout.stretches import Stretch, cut_stretches
from mlestar.evaluation.holdout.units import feature_columns, row_units

# The limits below were chosen by judgement; none was measured.
_MIN_SHARE = 0.05
_SMALL_TABLE_DIVISOR = 10
"""Fresh rows are enough for a holdout if they are this share of train and `MIN_ROWS`, or one in ten of a small
table."""
_ENOUGH_ROWS = MAX_WITHHELD // 2
"""Fresh rows that are enough however long the table is."""
_MIN_DIVIDED = 20
"""Series from which these are divided among the holdouts; fewer are withheld in every holdout, at earlier times."""
_FRESH_SHARE = 0.5
"""Share of the rows that the search withholds from each series from which earlier stretches are enough."""


_MAX_EXAMPLES = 1000
"""Rows of the test file that an input without one gets. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Holdout:
    """One way to withhold rows; all arrays but `units` hold row numbers of the train table."""

    name: str
    train: np.ndarray
    withheld: np.ndarray
    units: np.ndarray
    """Resampling unit of each withheld row, aligned with `withheld`."""


@dataclass(frozen=True)
class _RowUnits:
    """Train rows as units that stay together, from which holdouts are drawn."""

    units: np.ndarray
    strata: np.ndarray
    """Number of the class within which each row is drawn; zeros when classes do not matter."""
    classes: np.ndarray
    """Number of each row's class; -1 where no class has to stay in train."""
    labelled: np.ndarray

    def draw(self, used: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """Return a mask of about `share` of the labelled rows, taken as whole units of which no row is used."""
        _, first, inverse, sizes = np.unique(self.units, return_index=True, return_inverse=True, return_counts=True)
        unused = np.bincount(inverse, weights=used, minlength=len(sizes)) == 0
        drawn = np.zeros(len(sizes), dtype=bool)
        for stratum in np.unique(self.strata[self.labelled]):
            members = rng.permutation(np.flatnonzero(unused & (self.strata[first] == stratum)))
            quota = share * np.count_nonzero(self.strata[self.labelled] == stratum)
            totals = np.concatenate([[0], np.cumsum(sizes[members])])
            drawn[members[: int(np.abs(totals - quota).argmin())]] = True
        return self._keep_classes(drawn[inverse] & self.labelled)

    def _keep_classes(self, withheld: np.ndarray) -> np.ndarray:
        """Return one unit to train for every class that would be missing there."""
        for number in np.setdiff1d(self.classes[withheld], self.classes[~withheld]):
            rows = np.flatnonzero(withheld & (self.classes == number))
            # A unit that was returned for another class may have had this one too.
            if number >= 0 and len(rows):
                withheld = withheld & (self.units != self.units[rows[0]])
        return withheld


def search_holdout(task: Task, plan: SplitPlan, *, seed: int) -> Holdout:
    """Choose the rows that are withheld during the search.

    Raises:
        HoldoutError: no rows can be withheld under this plan.
    """
    if plan.kind == "time":
        holdouts = _periods(task, plan, count=1)
    elif plan.kind == "series":
        holdouts = _stretches(task, plan, seed=seed, count=1)
    else:
        row_units = _make_units(task, plan)
        used = np.zeros(len(row_units.units), dtype=bool)
        withheld = row_units.draw(used, plan.fraction, np.random.default_rng([seed, 0]))
        holdouts = [_make_holdout("holdout", row_units, withheld)]
    if not holdouts or not len(holdouts[0].withheld):
        msg = f"no rows of {task.spec.train} can be withheld by a {plan.kind} split"
        raise HoldoutError(msg)
    return holdouts[0]


def fresh_holdouts(task: Task, plan: SplitPlan, *, seed: int, count: int) -> tuple[Holdout, ...]:
    """Choose up to `count` further holdouts whose rows the search has not seen, disjoint from each other.

    Splits by time use earlier cutoffs, shorter where history runs out; splits of series use other series, or earlier
    cutoffs where there are few. Fewer, or none, where no fresh rows remain.
    """
    if plan.kind == "time":
        return tuple(_periods(task, plan, count=count + 1)[1:])
    if plan.kind == "series":
        return tuple(_stretches(task, plan, seed=seed, count=count + 1)[1:])
    row_units = _make_units(task, plan)
    used = np.zeros(len(row_units.units), dtype=bool)
    used[search_holdout(task, plan, seed=seed).withheld] = True
    holdouts: list[Holdout] = []
    for number in range(1, count + 1):
        withheld = row_units.draw(used, plan.fraction, np.random.default_rng([seed, number]))
        if withheld.sum() < _fewest_rows(len(withheld)):
            break
        holdouts.append(_make_holdout(f"fresh{number}", row_units, withheld))
        used |= withheld
    return tuple(holdouts)


def labelled_rows(task: Task) -> np.ndarray:
    """Return a mask of the train rows whose targets are all filled in, as finite numbers where these are values."""
    return labelled_mask(task.spec, task.train.rows[list(task.spec.target)])


def learnable_rows(task: Task) -> np.ndarray:
    """Return a mask of the train rows that scripts are given: with a target, and none that is infinite."""
    return usable_mask(task.spec, task.train.rows[list(task.spec.target)])


def example_rows(task: Task) -> np.ndarray:
    """Return the rows of train that stand for test rows in the real input of a task without a test file."""
    return np.flatnonzero(labelled_rows(task))[:_MAX_EXAMPLES]


def withheld_ids(task: Task, holdout: Holdout) -> pd.Series | None:
    """Return the withheld rows' ids as in train; invented where only test has an id, None without one."""
    spec = task.spec
    train, test = task.train.rows, task.test.rows
    if spec.id is None:
        return None
    if spec.id in train.columns:
        return pd.Series(train[spec.id].to_numpy()[holdout.withheld], dtype=str)
    numbers = pd.to_numeric(test[spec.id], errors="coerce")
    first = 0 if numbers.isna().any() else int(numbers.max()) + 1
    return pd.Series([str(first + int(row)) for row in holdout.withheld], dtype=str)


def _fewest_rows(rows: int) -> float:
    """Return how many fresh rows are enough for a holdout."""
    return min(max(_MIN_SHARE * rows, min(MIN_ROWS, rows / _SMALL_TABLE_DIVISOR)), _ENOUGH_ROWS)


def _make_holdout(name: str, row_units: _RowUnits, withheld: np.ndarray) -> Holdout:
    return Holdout(name, np.flatnonzero(~withheld), np.flatnonzero(withheld), row_units.units[withheld])


def _make_units(task: Task, plan: SplitPlan) -> _RowUnits:
    spec, frame = task.spec, task.train.rows
    rows = np.arange(len(frame))
    labelled = labelled_rows(task)
    units = row_units(plan, frame, feature_columns(spec.id, frame, task.test.rows))
    classes = np.full(len(rows), -1)
    if spec.problem in ("binary", "multiclass", "ordinal"):
        classes = np.where(labelled, pd.factorize(frame[spec.target[0]].str.strip())[0], -1)
    strata = classes if plan.kind == "stratified" else np.zeros(len(rows), dtype=int)
    return _RowUnits(units, strata, classes, labelled)


def _periods(task: Task, plan: SplitPlan, *, count: int) -> list[Holdout]:
    """Return holdouts of successive periods, the latest first."""
    clock = require_clock(task.train.rows, plan.keys, plan.group_rule)
    values = np.where(labelled_rows(task), clock.values, np.nan)
    end, holdouts = float(np.nanmax(values)), list[Holdout]()
    while len(holdouts) < count:
        cut = cut_period(values, end, plan.span or 0.0, plan.gap)
        if cut is None:
            break
        withheld = np.flatnonzero(cut.withheld)
        if holdouts and len(withheld) < _fewest_rows(len(values)):
            break
        name = f"fresh{len(holdouts)}" if holdouts else "holdout"
        units = time_units(values[withheld], dates=clock.dates)
        holdouts.append(Holdout(name, np.flatnonzero(cut.train), withheld, units))
        end = float(np.nextafter(cut.start, -np.inf))
    return holdouts


def _stretches(task: Task, plan: SplitPlan, *, seed: int, count: int) -> list[Holdout]:
    """Return holdouts of the last stretch of series: of other series each, or at earlier times where these are few."""
    train, test = task.train.rows, task.test.rows
    values = require_clock(train, plan.keys, plan.group_rule).values
    names = row_names(train, plan.series, plan.series_rule)
    has_series = set(plan.series) <= set(test.columns) and len(test) > 0
    sizes = row_names(test, plan.series, plan.series_rule).value_counts() if has_series else None
    usable = labelled_rows(task) & np.isfinite(values) & (names != "").to_numpy()
    stretches = cut_stretches(names, values, usable, sizes, plan, np.random.default_rng([seed, 0]))
    first = next(stretches, None)
    if first is None:
        return []
    series = np.random.default_rng([seed, 1]).permutation(np.unique(first.series))
    if len(series) >= _MIN_DIVIDED:
        return _divide(first, series, count)
    holdouts = [Holdout("holdout", first.train, first.withheld, first.series)]
    for stretch in islice(stretches, count - 1):
        if len(stretch.withheld) < _enough_fresh(holdouts[0], len(train)):
            break
        holdouts.append(Holdout(f"fresh{len(holdouts)}", stretch.train, stretch.withheld, stretch.series))
    return holdouts


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
        name = f"fresh{number}" if number else "holdout"
        holdouts.append(Holdout(name, stretch.train, stretch.withheld[members], stretch.series[members]))
    return holdouts


def _enough_fresh(holdout: Holdout, rows: int) -> float:
    """Return how many rows of earlier stretches are enough: the horizon may be few rows of long series."""
    return min(_FRESH_SHARE * len(holdout.withheld), _fewest_rows(rows))
