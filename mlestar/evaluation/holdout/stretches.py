"""Cutting rows by series: the last rows of each series are withheld, as many as the test has of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.shares import MAX_WITHHELD

_MIN_HISTORY = 2
"""Rows of a series for each row that is withheld: at most half of them are. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Stretch:
    """Row numbers of one cut."""

    train: np.ndarray
    withheld: np.ndarray
    series: np.ndarray
    """Number of the series of each withheld row."""


def cut_stretches(
    names: pd.Series,
    values: np.ndarray,
    usable: np.ndarray,
    sizes: pd.Series | None,
    plan: SplitPlan,
    rng: np.random.Generator,
) -> Iterator[Stretch]:
    """Yield the last stretch of the series, then the one before it, until too little history is left.

    Args:
        names: series of each row.
        values: time of each row.
        usable: rows that may be withheld: they have a label, a time and a series.
        sizes: rows of each series in the test; None where the test does not show them.
        plan: share of rows to withhold where `sizes` is None, and of test rows whose series is new.
        rng: draws the series that are withheld as a whole, for those that are new in the test.
    """
    codes, levels = pd.factorize(names)
    codes = np.asarray(codes)
    # Rows without a time or a series are always trained on; those without a label too, until their time is withheld.
    timeless = ~np.isfinite(values) | (names == "").to_numpy()
    remaining = ~timeless
    while (candidates := remaining & usable).any():
        counts = np.bincount(codes[candidates], minlength=len(levels))
        wanted = _wanted(levels, counts, sizes, plan.fraction)
        withheld = _last_rows(codes, values, candidates, np.minimum(wanted, counts // _MIN_HISTORY))
        withheld |= _new_series(codes, candidates, withheld, plan.new_share, rng)
        withheld = _limit(codes, withheld, rng)
        if not withheld.any():
            return
        start = np.full(len(levels), np.inf)
        np.minimum.at(start, codes[withheld], values[withheld])
        earlier = remaining & (values < start[codes])
        rows = np.flatnonzero(withheld)
        yield Stretch(np.flatnonzero(earlier | timeless), rows, codes[rows])
        remaining = earlier


def _wanted(levels: pd.Index, counts: np.ndarray, sizes: pd.Series | None, fraction: float) -> np.ndarray:
    if sizes is None:
        return np.round(fraction * counts).astype(int)
    return np.asarray(sizes.reindex(levels).fillna(0).astype(int))


def _last_rows(codes: np.ndarray, values: np.ndarray, candidates: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return a mask of the last rows of each series; rows of one time stay together."""
    rows = np.flatnonzero(candidates)
    later = pd.Series(-values[rows]).groupby(codes[rows]).rank(method="min").to_numpy()
    withheld = np.zeros(len(codes), dtype=bool)
    withheld[rows[later <= most[codes[rows]]]] = True
    return withheld


def _new_series(
    codes: np.ndarray, candidates: np.ndarray, withheld: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a mask of whole series, so that this share of the withheld rows is of series that train lacks."""
    drawn = np.zeros(len(codes), dtype=bool)
    rows, quota = withheld.sum(), share * withheld.sum() / max(1 - share, 0.5)
    if not share:
        return drawn
    for series in rng.permutation(np.unique(codes[candidates])):
        members = candidates & (codes == series)
        if drawn.sum() + members.sum() / 2 > quota:
            break
        drawn |= members
        # Rows of this series that were withheld already count once.
        quota = share * (rows - (withheld & drawn).sum()) / max(1 - share, 0.5)
    return drawn


def _limit(codes: np.ndarray, withheld: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return at most about `MAX_WITHHELD` rows, as whole stretches of series."""
    if withheld.sum() <= MAX_WITHHELD:
        return withheld
    counts = np.bincount(codes[withheld], minlength=codes.max() + 1)
    order = rng.permutation(len(counts))
    kept = np.zeros(len(counts), dtype=bool)
    kept[order[np.cumsum(counts[order]) <= MAX_WITHHELD]] = True
    return withheld & kept[codes] if kept.any() else withheld
