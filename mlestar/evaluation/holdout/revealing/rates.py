"""Statistics of the target for a key that several rows share, such as a rate per city."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

# The limits below were chosen by judgement; none was measured.
_MIN_KEYS = 5
"""Keys below which a column cannot be told from a feature."""
_CHANCE = 1e-3
"""Probability with which a column that knows the true mean of every key is taken for a statistic."""
_CLOSEST = 0.5
"""Share of the noise of a statistic from which a column cannot hold it, however many keys there are."""
_HALVES = 8
"""Divisions of the rows in two halves by which the noise is measured."""
_SMOOTHING = (1, 2, 5, 10, 20, 50, 100, 300)
"""Rows of the mean of all that are added to those of a key."""


@dataclass(frozen=True)
class Statistic:
    """A statistic of the target, for each key, and the variance that it has because rows are a sample."""

    name: str
    values: np.ndarray
    noise: np.ndarray

    def is_in(self, column: np.ndarray) -> bool:
        """Return whether a column holds this statistic of these very rows, or a function of it.

        A feature can know the true mean of a key, but not by how much that of these rows is off: its distance to the
        statistic is at least the noise. A column that was computed from the rows is closer.
        """
        usable = np.isfinite(column) & np.isfinite(self.values) & (self.noise > 0)
        if usable.sum() < _MIN_KEYS or np.ptp(column[usable]) == 0:
            return False
        values, noise, column = self.values[usable], self.noise[usable], column[usable]
        if np.ptp(values) == 0:
            return False
        limit = min(_CLOSEST, float(f_distribution.ppf(_CHANCE, max(len(values) - 2, 1), len(values))))
        return _line_distance(column, values, noise) < limit or _curve_distance(column, values, noise) < limit


def statistics(target: np.ndarray, keys: np.ndarray, count: int) -> Iterator[Statistic]:
    """Yield the statistics of a target by key.

    Args:
        target: of the rows, NaN where unknown.
        keys: number of the key of each row, -1 where there is none.
        count: how many keys there are.
    """
    known = np.isfinite(target) & (keys >= 0)
    target, keys = target[known], keys[known]
    sizes = np.bincount(keys, minlength=count).astype(float)
    halves = [np.random.default_rng(seed).permutation(len(keys)) % 2 == 0 for seed in range(_HALVES)]
    parts = [(_basic(target[half], keys[half], count), _basic(target[~half], keys[~half], count)) for half in halves]
    for name, values in _basic(target, keys, count).items():
        noise = _noise([(first[name] - second[name]) ** 2 for first, second in parts], sizes)
        yield Statistic(name, values, noise)
        if name == "mean":
            yield Statistic("sum", values * sizes, noise * sizes**2)
            yield from _smoothed(values, noise, target, sizes)


def _basic(target: np.ndarray, keys: np.ndarray, count: int) -> dict[str, np.ndarray]:
    sizes = np.bincount(keys, minlength=count).astype(float)
    sums = np.bincount(keys, target, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / sizes
        deviations = np.sqrt(np.bincount(keys, (target - means[keys]) ** 2, minlength=count) / sizes)
    result = {"mean": means}
    if len(np.unique(target)) > 2:
        groups = pd.Series(target).groupby(keys)
        result["standard deviation"] = deviations
        result |= {name: groups.agg(name).reindex(range(count)).to_numpy() for name in ("median", "min", "max")}
    return result


def _smoothed(means: np.ndarray, noise: np.ndarray, target: np.ndarray, sizes: np.ndarray) -> Iterator[Statistic]:
    overall = float(target.mean()) if len(target) else 0.0
    for rows in _SMOOTHING:
        share = sizes / (sizes + rows)
        yield Statistic("smoothed mean", share * means + (1 - share) * overall, share**2 * noise)


def _noise(squares: list[np.ndarray], sizes: np.ndarray) -> np.ndarray:
    """Return the variance of a statistic of each key: that of one row, from halves of all keys, over its rows.

    The squared difference of two halves is four times the variance of the whole. A key of one row has no halves: its
    noise is zero, as if nothing were known of it.
    """
    stacked = np.stack(squares)
    usable = np.isfinite(stacked) & (sizes > 1)
    if not usable.any():
        return np.zeros(len(sizes))
    of_row = (np.where(usable, stacked, 0) * sizes).sum() / usable.sum() / 4
    return np.where(sizes > 1, of_row / np.maximum(sizes, 1), 0.0)


def _line_distance(column: np.ndarray, values: np.ndarray, noise: np.ndarray) -> float:
    """Return the squared distance of a column from a straight line of the values, as a share of the noise."""
    slope, start = np.polyfit(values, column, 1)
    expected = slope**2 * noise.sum()
    return float(((column - start - slope * values) ** 2).sum() / expected) if expected > 0 else np.inf


def _curve_distance(column: np.ndarray, values: np.ndarray, noise: np.ndarray) -> float:
    """Return the squared distance of the values from a curve through the keys with the nearest cells, likewise."""
    order = np.argsort(column, kind="stable")
    column, values, noise = column[order], values[order], noise[order]
    before, after = column[1:-1] - column[:-2], column[2:] - column[1:-1]
    share = before / np.where(before + after > 0, before + after, 1)
    curve = (1 - share) * values[:-2] + share * values[2:]
    inner = noise[1:-1] + (1 - share) ** 2 * noise[:-2] + share**2 * noise[2:]
    return float(((values[1:-1] - curve) ** 2).sum() / inner.sum())
