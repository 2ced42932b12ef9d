"""Split-conformal prediction on arrays: quantiles of the scores of rows that no model was fitted to.

A score says how far a prediction is from the truth. With n scores and a level, the quantile is the score of rank
ceil((n + 1) level). If the row to predict and the n rows are exchangeable, its score is at most that quantile with a
probability of at least the level, whatever the model is (Vovk, Gammerman and Shafer, 2005, "Algorithmic Learning in a
Random World"; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2018, "Distribution-Free Predictive Inference for
Regression"). Rows of the same unit, such as a group, are alike; then the K units are what is exchangeable. Each has the
weight 1 / (K + 1), shared by its rows, and the rest of the weight is a score that is infinite (Lee, Barber and Willett,
2023, "Distribution-free inference with hierarchical data"). With one row in each unit both quantiles are the same.

For values the score is the absolute residual, so that the prediction plus and minus the quantile is the interval. For
classes it is 1 minus the probability of the true class, so that the set has every class whose probability is at least
1 minus the quantile: the least ambiguous sets of Sadinle, Lei and Wasserman (2019, "Least Ambiguous Set-Valued
Classifiers With Bounded Error Levels"). Of all sets with this coverage they are the smallest on average, and the same
input gives the same set. The adaptive sets of Romano, Sesia and Candes (2020, "Classification with Valid and Adaptive
Coverage") need random numbers to have the stated coverage, and are larger.

No library does this on stored predictions. MAPIE 1.6 asks an estimator for them, refuses 19 rows at 95 %, and knows no
units. crepes takes arrays, but computes the rank with floats: 4 rows at 80 % give an infinite interval, 9 rows the
largest score instead of the eighth; its groups are strata, which have a quantile each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Scale = Literal["value", "log", "log1p", "probability"]
"""How far a prediction is from the truth. `value`: absolute residuals. `log`, `log1p`: absolute residuals of the
logarithm, or of log(1 + value). `probability`: 1 minus the probability of the true class."""
_ROUNDING = 1e-9
"""By how many units a sum of weights may miss the threshold because of floats: 20 * 0.95 is no integer."""

_SLACK = 4 * float(np.finfo(float).eps)
"""By how much ends of intervals are moved outwards, as a share of the numbers that they come from: two roundings."""


def needed_units(level: float) -> int:
    """Return how many units a quantile of a level takes at least: 19 for 95 %, 4 for 80 %."""
    return math.ceil(level / (1 - level) - _ROUNDING)


def conformal_quantiles(scores: np.ndarray, units: np.ndarray, levels: Sequence[float]) -> list[float | None]:
    """Return the quantile of scores at each level; None where the units are too few, or the quantile is infinite.

    Args:
        scores: of rows; infinite where a row can never be covered.
        units: the unit of each row.
        levels: shares of rows that are to be covered.
    """
    _, codes, sizes = np.unique(units, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1 / sizes[codes[order]])
    """How many units have a score up to this one, where each row counts as its share of a unit."""
    quantiles: list[float | None] = []
    for level in levels:
        place = np.searchsorted(reached, (len(sizes) + 1) * level - _ROUNDING * max(1, len(sizes)))
        score = float(scores[order[place]]) if place < len(scores) else math.inf
        quantiles.append(score if math.isfinite(score) else None)
    return quantiles


def residuals(truth: np.ndarray, predicted: np.ndarray, scale: Scale) -> np.ndarray:
    """Return the absolute residuals on a scale; infinite where one is undefined."""
    with np.errstate(all="ignore"):
        scores = np.abs(_to_scale(truth, scale) - _to_scale(predicted, scale))
    return np.where(np.isnan(scores), np.inf, scores)


def interval_bounds(predicted: np.ndarray, quantile: float, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of each interval; NaN where a prediction is not on the scale.

    Every value inside, and no other, has a score of at most the quantile.
    """
    with np.errstate(all="ignore"):
        centers = _to_scale(predicted, scale)
        # 1.0 - 0.7 is more than 0.3, and a value that is just inside must not fall out.
        reach = quantile + _SLACK * (np.abs(centers) + quantile)
        lower, upper = centers - reach, centers + reach
        if scale == "log":
            return np.exp(lower), np.exp(upper)
        if scale == "log1p":
            # Below zero the metrics of this scale are undefined.
            return np.maximum(np.expm1(lower), 0), np.expm1(upper)
    return lower, upper


def _to_scale(values: np.ndarray, scale: Scale) -> np.ndarray:
    """Return values on a scale, NaN where they have no place on it."""
    if scale == "log":
        return np.log(np.where(values > 0, values, np.nan))
    if scale == "log1p":
        return np.log1p(np.where(values >= 0, values, np.nan))
    return values


def class_shares(predicted: np.ndarray) -> np.ndarray:
    """Return the probability of each class, (rows, classes), which add up to one in each row.

    Args:
        predicted: a column for each class, or one column (or a plain array) for the second of two classes.
    """
    columns = predicted.reshape(len(predicted), -1)
    if columns.shape[1] == 1:
        return np.hstack([1 - columns, columns])
    total = columns.sum(axis=1, keepdims=True)
    return np.asarray(columns / np.where(total > 0, total, 1))


def class_scores(shares: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return 1 minus the probability of the true class; infinite where the class has no column.

    Args:
        shares: (rows, classes).
        codes: the column of each row's true class, negative where there is none.
    """
    true = shares[np.arange(len(codes)), np.maximum(codes, 0)]
    return np.where(codes < 0, np.inf, 1 - true)


def class_sets(shares: np.ndarray, quantile: float) -> np.ndarray:
    """Return which classes are in the set of each row, (rows, classes); a set may have none."""
    return np.asarray(1 - shares <= quantile)


@dataclass(frozen=True)
class Tally:
    """Sums over units of the share of their rows that is covered; tallies of different units can be added."""

    units: int = 0
    shares: float = 0.0
    squares: float = 0.0
    """Of the shares."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.units + other.units, self.shares + other.shares, self.squares + other.squares)

    @property
    def coverage(self) -> float | None:
        """Return the mean share over units, which is the share of rows where each row is a unit."""
        return self.shares / self.units if self.units else None

    def error(self, level: float) -> float | None:
        """Return the standard error of the coverage: of rows the binomial one, else from how much units differ.

        Where all are covered, or none, they show no difference; then it is what the level makes of as many rows.
        """
        if self.coverage is None:
            return None
        spread = self.squares / self.units - self.coverage**2
        if self.coverage in (0.0, 1.0):
            spread = level * (1 - level)
        return math.sqrt(max(0.0, spread) / self.units)


def tally(covered: np.ndarray, units: np.ndarray) -> Tally:
    """Return the sums over units.

    Args:
        covered: of each row, whether it is.
        units: the unit of each row.
    """
    _, codes, sizes = np.unique(units, return_inverse=True, return_counts=True)
    shares = np.bincount(codes, weights=covered) / sizes
    return Tally(len(sizes), float(shares.sum()), float((shares**2).sum()))
