"""Choosing the train rows that play the test set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.cutoff import MIN_ROWS, bins, cut
from mlestar.evaluation.holdout.period import clock_of
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.rule import group_names
from mlestar.evaluation.holdout.split import duplicate_codes, feature_columns

_FEWEST = 0.05
"""Share of the train rows below which fresh rows are not worth a holdout."""


@dataclass(frozen=True)
class Holdout:
    """One way to withhold rows; all arrays hold row numbers of the train table but `units`."""

    name: str
    train: np.ndarray
    held: np.ndarray
    units: np.ndarray
    """Resampling unit of each held-out row, aligned with `held`."""


@dataclass(frozen=True)
class _Deck:
    """Train rows as units that stay together, ready to be dealt."""

    units: np.ndarray
    strata: np.ndarray
    """Number of the class each row is dealt within; zeros when classes do not matter."""
    classes: np.ndarray
    """Number of each row's class; -1 where no class has to stay in train."""
    labelled: np.ndarray

    def draw(self, used: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
        """Return a mask of about `share` of the labelled rows, taken as whole units of which no row is used."""
        _, first, inverse, sizes = np.unique(self.units, return_index=True, return_inverse=True, return_counts=True)
        allowed = np.bincount(inverse, weights=used, minlength=len(sizes)) == 0
        chosen = np.zeros(len(sizes), dtype=bool)
        for stratum in np.unique(self.strata[self.labelled]):
            members = rng.permutation(np.flatnonzero(allowed & (self.strata[first] == stratum)))
            quota = share * np.count_nonzero(self.strata[self.labelled] == stratum)
            totals = np.concatenate([[0], np.cumsum(sizes[members])])
            chosen[members[: int(np.abs(totals - quota).argmin())]] = True
        return self._keep_classes(chosen[inverse] & self.labelled)

    def _keep_classes(self, held: np.ndarray) -> np.ndarray:
        """Give one unit back to train for every class that would be missing there."""
        for number in np.setdiff1d(self.classes[held], self.classes[~held]):
            row = np.flatnonzero(held & (self.classes == number))[0] if number >= 0 else None
            if row is not None:
                held = held & (self.units != self.units[row])
        return held


def search_holdout(task: Task, plan: SplitPlan, *, seed: int) -> Holdout:
    """Choose the rows that are held out while solutions are searched.

    Raises:
        HoldoutError: no rows can be withheld under this plan.
    """
    if plan.kind == "time":
        found = _periods(task, plan, count=1)
    else:
        deck = _deal(task, plan)
        held = deck.draw(np.zeros(len(deck.units), dtype=bool), plan.fraction, np.random.default_rng([seed, 0]))
        found = [_make_holdout("holdout", deck, held)]
    if not found or not len(found[0].held):
        msg = f"no rows of {task.spec.train} can be withheld by a {plan.kind} split"
        raise HoldoutError(msg)
    return found[0]


def fresh_holdouts(task: Task, plan: SplitPlan, *, seed: int, count: int) -> tuple[Holdout, ...]:
    """Choose up to `count` further holdouts whose held-out rows no search has seen, disjoint from each other.

    Time splits use earlier cut-offs, shorter where history runs out. Fewer, or none, where no fresh rows remain.
    """
    if plan.kind == "time":
        return tuple(_periods(task, plan, count=count + 1)[1:])
    deck = _deal(task, plan)
    used = np.zeros(len(deck.units), dtype=bool)
    used[search_holdout(task, plan, seed=seed).held] = True
    found: list[Holdout] = []
    for number in range(1, count + 1):
        held = deck.draw(used, plan.fraction, np.random.default_rng([seed, number]))
        if held.sum() < _enough(len(held)):
            break
        found.append(_make_holdout(f"fresh{number}", deck, held))
        used |= held
    return tuple(found)


def labelled_rows(task: Task) -> np.ndarray:
    """Return a mask of the train rows whose targets are all filled in, with finite numbers where values are wanted."""
    targets = task.table(task.spec.train).frame[list(task.spec.target)]
    if task.spec.prediction_kind == "value":
        targets = targets.apply(pd.to_numeric, errors="coerce")
        return np.asarray(np.isfinite(targets).all(axis=1))
    return np.asarray((targets != "").all(axis=1))


def held_ids(task: Task, holdout: Holdout) -> pd.Series | None:
    """Return the held-out rows' ids as they stand in train; made up where only test has an id, None without one."""
    spec = task.spec
    train, test = task.table(spec.train).frame, task.table(spec.test).frame
    if spec.id is None:
        return None
    if spec.id in train.columns:
        return pd.Series(train[spec.id].to_numpy()[holdout.held], dtype=str)
    numbers = pd.to_numeric(test[spec.id], errors="coerce")
    base = 0 if numbers.isna().any() else int(numbers.max()) + 1
    return pd.Series([str(base + int(row)) for row in holdout.held], dtype=str)


def _enough(rows: int) -> float:
    """Return how many fresh rows are worth a holdout; small tables make do with a tenth."""
    return max(_FEWEST * rows, min(MIN_ROWS, rows / 10))


def _make_holdout(name: str, deck: _Deck, held: np.ndarray) -> Holdout:
    return Holdout(name, np.flatnonzero(~held), np.flatnonzero(held), deck.units[held])


def _deal(task: Task, plan: SplitPlan) -> _Deck:
    spec, frame = task.spec, task.table(task.spec.train).frame
    rows = np.arange(len(frame))
    labelled = labelled_rows(task)
    units = rows
    if plan.kind == "group" and plan.column is not None:
        names = group_names(plan.column, frame[plan.column], plan.group_rule)
        codes = pd.factorize(names.where(names != ""))[0]
        # A row without a group stands for itself.
        units = np.where(codes >= 0, codes, rows + len(rows))
    elif plan.keep_duplicates:
        units = duplicate_codes(frame, feature_columns(spec, frame, task.table(spec.test).frame))
    classes = np.full(len(rows), -1)
    if spec.problem in ("binary", "multiclass", "ordinal"):
        classes = np.where(labelled, pd.factorize(frame[spec.target[0]].str.strip())[0], -1)
    strata = classes if plan.kind == "stratified" else np.zeros(len(rows), dtype=int)
    return _Deck(units, strata, classes, labelled)


def _periods(task: Task, plan: SplitPlan, *, count: int) -> list[Holdout]:
    """Walk back in time from the last period, one cut-off after the other."""
    column = plan.column or ""
    clock = clock_of(column, task.table(task.spec.train).frame[column], plan.group_rule)
    labelled = labelled_rows(task)
    values = np.where(labelled, clock.values, np.nan)
    end, found = float(np.nanmax(values)), list[Holdout]()
    while len(found) < count and (made := cut(values, end, plan.span or 0.0, plan.gap)) is not None:
        held = np.flatnonzero(made.held)
        if found and len(held) < _enough(len(values)):
            break
        name = f"fresh{len(found)}" if found else "holdout"
        units = bins(values[held], dates=clock.dates)
        found.append(Holdout(name, np.flatnonzero(made.train), held, units))
        end = float(np.nextafter(made.start, -np.inf))
    return found
