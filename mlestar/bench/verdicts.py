"""Whether one set of rows is better than another, worse, or whether that cannot be told.

"Better" and "worse" need two things; `benchmarks/compare.py` measures how often they are wrong.

* The interval of 95 % does not contain zero. That of all tasks covers which tasks, seeds and rows were drawn; that of
  one task covers seeds and rows.
* Fewer than 5 % of all ways to exchange the first and the second give an advantage as large: of whole tasks for the
  verdict on all, of single seeds for that on one task (a randomization test, exact for any distribution: Fisher, 1935,
  "The Design of Experiments"). So fewer than six tasks, and fewer than six seeds, never suffice.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from mlestar.bench.pairs import Pair, Pairs
from mlestar.bench.rows import Frozen
from mlestar.metrics.finite import Finite

Verdict = Literal["better", "worse", "cannot tell"]
LEVEL = 0.05
"""Of intervals and of the test. The customary one; `benchmarks/compare.py` measures how often it misleads."""
MIN_UNITS = math.ceil(1 - math.log2(LEVEL))
"""With fewer tasks or seeds even an advantage in all of them is more likely by chance than `LEVEL`."""
_PADDING = (0.5, -0.5)
"""Advantages of two tasks that are added for the interval of all, as Agresti and Coull (1998) add two successes and two
failures for that of a share: without them it is too short where the second is better on nearly all tasks. Measured:
`benchmarks/compare.py`."""
_EXACT_UNITS, _EXCHANGES = 12, 4999
"""Tasks or seeds up to which all exchanges are counted, and how many are drawn of more. Chosen by judgement; not
measured."""


class Finding(Frozen):
    """What pairs say about one task, or about all."""

    verdict: Verdict
    pairs: int
    advantage: float
    """Share of pairs in which the second is better minus the share in which it is worse; a pair whose resamples
    disagree counts in part."""
    chance: float
    """How often an advantage as large comes from exchanging the first and the second at random."""
    difference: Finite = None
    """Of one task: the mean of the scores' differences, positive is better. Of all: the mean advantage of tasks."""
    low: Finite = None
    high: Finite = None
    """The interval of the difference."""
    note: str = ""


def judge_task(pairs: Sequence[Pair]) -> Finding:
    """Return what the pairs of one task say."""
    advantages = np.array([pair.advantage for pair in pairs])
    difference, low, high = _task_interval(pairs)
    chance = exchange_chance(advantages[:1] if _is_one_result(pairs) else advantages)
    advantage = float(advantages.mean())
    return Finding(
        verdict=_verdict(advantage, chance, low, high),
        pairs=len(pairs),
        advantage=advantage,
        chance=chance,
        difference=difference,
        low=low,
        high=high,
        note=_task_note(pairs, low, high),
    )


def judge_all(pairs: Pairs) -> Finding:
    """Return what all pairs say; every task counts the same."""
    tasks = pairs.by_task
    means = np.array([np.mean([pair.advantage for pair in task]) for task in tasks.values()])
    if not len(means):
        return Finding(verdict="cannot tell", pairs=0, advantage=0.0, chance=1.0, note="no pairs")
    chance, (low, high) = exchange_chance(means), mean_interval(means)
    advantage = float(means.mean())
    return Finding(
        verdict=_verdict(advantage, chance, low, high),
        pairs=len(pairs.found),
        advantage=advantage,
        chance=chance,
        difference=advantage,
        low=low,
        high=high,
        note="" if len(means) >= MIN_UNITS else f"{MIN_UNITS} tasks are needed",
    )


def exchange_chance(advantages: np.ndarray) -> float:
    """Return the share of all exchanges that give at least this mean advantage, in either direction."""
    if len(advantages) <= _EXACT_UNITS:
        signs = np.array(list(product((-1, 1), repeat=len(advantages))))
        return float(_as_large(signs @ advantages, advantages.sum()).mean())
    signs = np.random.default_rng(0).choice((-1, 1), size=(_EXCHANGES, len(advantages)))
    # What was observed counts as one exchange, so that the test stays valid (Phipson and Smyth, 2010).
    return float((_as_large(signs @ advantages, advantages.sum()).sum() + 1) / (_EXCHANGES + 1))


def _as_large(exchanged: np.ndarray, advantage: float) -> np.ndarray:
    as_large: np.ndarray = np.abs(exchanged) >= abs(advantage) - 1e-12  # sums in another order differ by rounding
    return as_large


def mean_interval(means: np.ndarray) -> tuple[float, float]:
    """Return the interval of the mean advantage of tasks by Student's distribution.

    The spread of tasks includes the effect of which seeds and rows were drawn, so these need not be drawn again.
    """
    padded = np.append(means, _PADDING)
    half = _quantile(len(padded) - 1) * float(padded.std(ddof=1)) / math.sqrt(len(padded))
    middle = float(padded.mean())
    return max(-1.0, middle - half), min(1.0, middle + half)


def _task_interval(pairs: Sequence[Pair]) -> tuple[float | None, float | None, float | None]:
    """Return the mean difference of scores with its interval over seeds and rows; over rows only for a single pair."""
    differences = np.array([pair.difference for pair in pairs if pair.difference is not None])
    if not len(differences):
        return None, None, None
    middle, rows = float(differences.mean()), _row_variance(pairs)
    seeds = float(differences.var(ddof=1)) / len(differences) if len(differences) > 1 else 0.0
    if rows + seeds == 0:
        return (middle, None, None) if len(differences) == 1 else (middle, middle, middle)
    # Satterthwaite (1946): the degrees of freedom of a sum of two variances, that of rows being known well.
    freedom = (rows + seeds) ** 2 / seeds**2 * (len(differences) - 1) if seeds else math.inf
    half = _quantile(freedom) * math.sqrt(rows + seeds)
    return middle, middle - half, middle + half


def _is_one_result(pairs: Sequence[Pair]) -> bool:
    """Return whether all seeds gave the same scores of unknown error, as tools do that draw nothing: one result."""
    return len({pair.difference for pair in pairs}) == 1 and all(
        pair.difference is not None and pair.row_error == 0 and not len(pair.resampled) for pair in pairs
    )


def _row_variance(pairs: Sequence[Pair]) -> float:
    """Return the variance of the mean difference over the choice of rows; 0 where it is unknown."""
    scored = [pair for pair in pairs if pair.difference is not None]
    if len({len(pair.resampled) for pair in scored}) == 1 and len(scored[0].resampled) > 1:
        means = np.mean([pair.resampled for pair in scored], axis=0)
        defined = means[np.isfinite(means)]
        if len(defined) > 1:
            return float(defined.var(ddof=1))
    # All seeds are graded on the same rows, so that their mean is hardly more certain than one of them.
    return float(np.mean([pair.row_error**2 for pair in scored]))


def _quantile(freedom: float) -> float:
    """Return the quantile of Student's distribution for an interval of `LEVEL`."""
    return float(stdtrit(freedom, 1 - LEVEL / 2))


def _verdict(advantage: float, chance: float, low: float | None, high: float | None) -> Verdict:
    if chance > LEVEL:
        return "cannot tell"
    if low is not None and high is not None and not (low > 0 if advantage > 0 else high < 0):
        return "cannot tell"
    return "better" if advantage > 0 else "worse"


def _task_note(pairs: Sequence[Pair], low: float | None, high: float | None) -> str:
    notes: list[str] = []
    if len(pairs) < MIN_UNITS:
        notes.append(f"{MIN_UNITS} seeds are needed")
    if len(pairs) == 1 and low is not None and high is not None and low * high > 0:
        notes.append("on these rows the two submissions differ, another seed may not")
    if len(pairs) > 1 and _is_one_result(pairs):
        notes.append("all seeds gave the same scores, whose error is unknown")
    if unscored := sum(pair.difference is None for pair in pairs):
        notes.append(f"{unscored} without a score")
    return "; ".join(notes)
