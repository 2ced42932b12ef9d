"""How many values occur in both train and test, against what a random split of the same rows would give.

A value of s rows crosses unless all s fall on one side; for a random split of n + m rows that chance is hypergeometric.
The number of crossings is compared with its expectation, and its lower tail is bounded after Chernoff (1952, "A Measure
of Asymptotic Efficiency for Tests of a Hypothesis Based on the Sum of Observations"), with values taken as independent.
"""

from dataclasses import dataclass
from math import lgamma

import numpy as np

_TILTS = -np.concatenate([np.geomspace(1e-3, 80.0, 120), [800.0]])
"""Exponents among which the bound takes the best; every one gives a valid bound, so that the grid is not critical."""


@dataclass(frozen=True)
class Crossing:
    """The values with two rows or more in the pooled table, and how many of them are on both sides."""

    observed: int
    expected: float
    """Under a random split of the pooled rows."""
    log_p: float
    """Natural logarithm of an upper bound on the chance of so few crossings under a random split."""
    train_values: int
    test_values: int

    @property
    def ratio(self) -> float:
        return self.observed / self.expected if self.expected else 1.0

    def __str__(self) -> str:
        verb = "value is" if self.observed == 1 else "values are"
        return f"{self.observed} {verb} in both files, {self.expected:.0f} expected of a random split"


def count_crossing(train: np.ndarray, test: np.ndarray) -> Crossing:
    """Compare two arrays of value codes; negative codes are missing cells and are left out."""
    train, test = train[train >= 0], test[test >= 0]
    width = int(max(train.max(initial=0), test.max(initial=0))) + 1
    in_train, in_test = np.bincount(train, minlength=width), np.bincount(test, minlength=width)
    counts = in_train + in_test
    sizes, weights = np.unique(counts[counts > 1], return_counts=True)
    log_one_side = np.array([_log_one_side(int(size), len(train), len(test)) for size in sizes])
    observed = int(((in_train > 0) & (in_test > 0)).sum())
    return Crossing(
        observed=observed,
        expected=float(weights @ -np.expm1(log_one_side)) if len(sizes) else 0.0,
        log_p=_log_bound(log_one_side, weights, observed),
        train_values=int((in_train > 0).sum()),
        test_values=int((in_test > 0).sum()),
    )


def log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) if 0 <= k <= n else -np.inf


def _log_one_side(size: int, n: int, m: int) -> float:
    """Return the log probability that `size` rows are all on one side when n + m rows are split at random."""
    all_splits = log_choose(n + m, m)
    one_sided = np.logaddexp(log_choose(n + m - size, m), log_choose(n + m - size, m - size))
    return float(min(one_sided - all_splits, 0.0))


def _log_bound(log_one_side: np.ndarray, weights: np.ndarray, observed: int) -> float:
    """Return the log of the Chernoff bound on P(crossings <= observed); `weights` counts the values of each size."""
    if not len(log_one_side):
        return 0.0
    with np.errstate(divide="ignore"):
        log_crossing = np.log(-np.expm1(log_one_side))
    return log_tail(log_one_side, log_crossing, weights, observed, _TILTS)


def log_tail(log_no: np.ndarray, log_yes: np.ndarray, weights: np.ndarray, observed: int, tilts: np.ndarray) -> float:
    """Return the log of the Chernoff bound on the tail of a number of independent events.

    Each event happens with the chance exp(log_yes), or does not with exp(log_no), `weights` times. The lower tail takes
    negative tilts, the upper one positive ones.
    """
    log_moments = np.logaddexp(log_no[:, None], log_yes[:, None] + tilts[None, :])
    return float(min((weights @ log_moments - tilts * observed).min(), 0.0))
