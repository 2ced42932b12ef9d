"""Statistics of the target for a key that several rows share, such as a rate per city."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

# The limits below were chosen by judgement; none was measured.
_MIN_KEYS = 8
"""Keys below which a column cannot be told from a feature."""
_CHANCE = 1e-3
"""Probability with which a column that knows the true mean of every key is taken for a statistic."""
_CLOSEST = 0.5
"""Share of the noise of a statistic from which a column cannot hold it, however many keys there are."""
_CURVE = 1.5
"""Squared distance of a value from the middle of its neighbours, in that of a value from its mean."""
_RELATED = 0.75
"""Share of the variance of a statistic that a column must explain."""
_EXACT = 0.001
"""Share of the variance of a statistic without known noise that a column may leave unexplained."""
_SMOOTHING = (1, 2, 5, 10, 20, 50, 100, 300)
"""Rows of the mean of all that are added to those of a key."""
_FEW = 2
"""Different values up to which the mean is the only statistic that is compared."""
_WORDS = {"std": "standard deviation"}


@dataclass(frozen=True)
class Statistic:
    """A statistic of the target, for each key."""

    name: str
    values: np.ndarray
    noise: np.ndarray | None = None
    """The variance that it has because rows are a sample; None where that is not known well."""

    def is_in(self, column: np.ndarray) -> bool:
        """Return whether a column holds this statistic of these very rows, or a function of it.

        A feature can know the true mean of a key, but not by how much that of these rows is off: its distance to the
        statistic is at least the noise. A column that was computed from the rows is closer.
        """
        usable = np.isfinite(column) & np.isfinite(self.values)
        if self.noise is not None:
            usable &= self.noise > 0
        if usable.sum() < _MIN_KEYS or np.ptp(column[usable]) == 0 or np.ptp(self.values[usable]) == 0:
            return False
        values, column = self.values[usable], column[usable]
        line, curve = _line_distance(column, values), _curve_distance(column, values)
        if self.noise is None:
            return min(line, curve) < _EXACT * float(values.var())
        noise = float(self.noise[usable].mean())
        limit = min(_CLOSEST, float(f_distribution.ppf(_CHANCE, len(values) - 2, len(values))))
        related = (1 - _RELATED) * float(values.var())
        return line < min(limit * noise, related) or curve < min(_CURVE * limit * noise, related)


def statistics(target: np.ndarray, keys: np.ndarray, count: int) -> Iterator[Statistic]:
    """Yield the statistics of a target by key.

    Args:
        target: of the rows, NaN where unknown.
        keys: number of the key of each row, -1 where there is none.
        count: how many keys there are.
    """
    known = np.isfinite(target) & (keys >= 0)
    target, keys = target[known], keys[known]
    if not len(target):
        return
    sizes = np.bincount(keys, minlength=count).astype(float)
    means = _means(target, keys, sizes)
    variance = float(((target - means[keys]) ** 2).sum() / max(len(target) - (sizes > 0).sum(), 1))
    noise = np.where(sizes > 1, variance / np.maximum(sizes, 1), 0.0)
    yield Statistic("mean", means, noise)
    for rows in _SMOOTHING:
        share = sizes / (sizes + rows)
        yield Statistic("smoothed mean", share * means + (1 - share) * target.mean(), share**2 * noise)
    yield Statistic("sum", np.where(sizes > 0, means * sizes, np.nan))
    if len(np.unique(target)) > _FEW:
        groups = pd.Series(target).groupby(keys)
        for name in ("std", "median", "min", "max"):
            yield Statistic(_WORDS.get(name, name), groups.agg(name).reindex(range(count)).to_numpy())


def _means(target: np.ndarray, keys: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    sums = np.bincount(keys, target, minlength=len(sizes))
    return np.asarray(np.where(sizes > 0, sums / np.maximum(sizes, 1), np.nan))


def _line_distance(column: np.ndarray, values: np.ndarray) -> float:
    """Return the mean squared distance of a column from a straight line of the values, in the unit of these."""
    slope, start = np.polyfit(values, column, 1)
    return float(np.mean((column - start - slope * values) ** 2) / slope**2) if slope else np.inf


def _curve_distance(column: np.ndarray, values: np.ndarray) -> float:
    """Return the mean squared distance of the values from those of the keys with the nearest cells on either side."""
    order = np.argsort(column, kind="stable")
    column, values = column[order], values[order]
    before, after = column[1:-1] - column[:-2], column[2:] - column[1:-1]
    share = before / np.where(before + after > 0, before + after, 1)
    curve = (1 - share) * values[:-2] + share * values[2:]
    return float(np.mean((values[1:-1] - curve) ** 2))
