"""Numbers that repeat and lie far outside the rest of a column: codes that stand for missing values.

The rest of a column gives the scale: the distance of a code from its edge is compared with the distance of that edge
from the median, on the same side. So a long tail on the other side changes nothing, and the edge of a long tail is
far itself. Both are taken over different values: half of the cells may be zeros. `benchmarks/missing.py` measures
what is found, and that ordinary columns have no codes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

_MIN_ROWS = 30
_MIN_REPEATS = 5
_MIN_REST = 20
"""Cells of a column, of a code, and of the rest, below which nothing is concluded. Chosen by judgement; not
measured."""
_MIN_DISTINCT = 5
"""Different values of the rest below which a column is one of categories. Chosen by judgement; not measured."""
_MANY_DISTINCT = 30
"""Different whole numbers below which gaps among them make them categories. Chosen by judgement; not measured."""
_MIN_DENSITY = 0.5
"""Share of the whole numbers between smallest and largest that a column of counts holds. Chosen by judgement; not
measured."""
_SMALL_SCALE = 10
"""Different whole numbers below which a code must have three digits: 99 may be a category. Chosen by judgement; not
measured."""
_STRAYS_PER_CODE = 0.1
_STRAYS_PER_ROW = 0.002
"""Cells of the rest that may lie beyond or beside a code. Chosen by judgement; not measured."""
# How far a code lies from the edge of the rest, in distances of that edge from the median. Chosen with
# `benchmarks/missing.py`: 300 ordinary tables without a code.
_FAR_MINUS_ONE = 0.5
_FAR_BELOW_ZERO = 1.0
_FAR_NINES = 1.5
_FAR_ROUND = 3.0
_FAR_ANY_NEGATIVE = 10.0
_NEARER = 0.5
"""Part of these distances that is enough for a spike: a value among ones that hardly repeat."""
_SPIKE = 5
"""How often a value repeats in comparison with the most frequent other one to be a spike. Chosen by judgement; not
measured."""
_TAIL_EVIDENCE = 12.0
"""Repeats times the logarithm of the distance to a tail. A tail that was cut at the code, where the chance of a value
falls as its inverse, leaves such a gap once in exp(12) columns."""
_LEAST_CHANGE = -100.0
"""The least change in percent: a value, not a code, where others are below zero too."""
_MAX_SMALL_SHARE = 0.5
"""Share of a small negative code: what most rows hold is a value. Chosen by judgement; not measured."""
_USUAL_NINES = 0.05
"""Share of prices that end with 99 among the values, beyond which such an end says nothing. By chance it is 1 %."""
_NINES_END = re.compile(r"\d[.,]?9[.,]?9(?:[.,]0+)?$")


@dataclass(frozen=True)
class _Rest:
    """The different numbers of a column without the codes, sorted, and how often each occurs."""

    values: np.ndarray
    counts: np.ndarray

    def without(self, codes: Sequence[float]) -> "_Rest":
        keep = ~np.isin(self.values, codes)
        return _Rest(self.values[keep], self.counts[keep])

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def edges(self, repeats: int) -> tuple[float, float]:
        """Return the smallest and the largest number, without the strays that a code may have."""
        strays = min(_STRAYS_PER_CODE * repeats, _STRAYS_PER_ROW * self.total)
        cumulated = np.cumsum(self.counts)
        low = self.values[int(np.searchsorted(cumulated, strays, side="right"))]
        high = self.values[int(np.searchsorted(cumulated, self.total - strays, side="left"))]
        return float(low), float(high)

    def is_scale(self, code: float) -> bool:
        """Return whether the numbers are measured or counted, not names of categories."""
        distinct = len(self.values)
        if self.total < _MIN_REST or distinct < _MIN_DISTINCT:
            return False
        if distinct >= _MANY_DISTINCT or not np.all(self.values == np.round(self.values)):
            return distinct >= _SMALL_SCALE
        dense = distinct >= _MIN_DENSITY * (self.values[-1] - self.values[0] + 1)
        return bool(dense) and (distinct >= _SMALL_SCALE or abs(code) >= 100)


def find_spikes(values: Sequence[str], numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return a mask of the values that are codes.

    Args:
        values: the different values of a column.
        numbers: their numbers, NaN for words.
        counts: how often each value occurs.
    """
    if len(values) <= _MIN_DISTINCT or counts.max() < _MIN_REPEATS or counts.sum() < _MIN_ROWS:
        return np.zeros(len(values), dtype=bool)
    finite = np.isfinite(numbers)
    column = _merge(numbers[finite], counts[finite])
    codes: list[float] = []
    candidates = _candidates(column)
    if candidates:
        nines_say_nothing = _ends_are_usual(values, finite & ~np.isin(numbers, candidates))
        for position, code in enumerate(candidates):
            rest = column.without([*codes, *candidates[position:]])
            repeats = int(column.counts[column.values == code][0])
            if rest.is_scale(code) and _is_code(code, repeats, rest, nines_say_nothing=nines_say_nothing):
                codes.append(code)
    return np.isin(numbers, codes)


def find_shared(numbers: np.ndarray, counts: np.ndarray, codes: Sequence[float]) -> np.ndarray:
    """Return a mask of the codes of other columns that are codes here too: a spike outside the other numbers.

    A code that is not far enough from the rest to be one by itself is one where another column has it.

    Args:
        numbers: the different numbers of a column, NaN for words.
        counts: how often each occurs.
        codes: the codes of other columns.
    """
    shared = np.isin(numbers, codes) & (counts >= _MIN_REPEATS)
    others = np.isfinite(numbers) & ~shared
    if not shared.any() or not others.any():
        return np.zeros(len(numbers), dtype=bool)
    rest = _merge(numbers[others], counts[others])
    for row in np.flatnonzero(shared):
        low, high = rest.edges(int(counts[row]))
        outside = numbers[row] < low or numbers[row] > high
        shared[row] = outside and _is_spike(int(counts[row]), rest) and rest.is_scale(float(numbers[row]))
    return shared


def is_outside(numbers: np.ndarray, counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return a mask of the values that lie outside the other numbers or are a spike among them.

    Args:
        numbers: the different numbers of a column, NaN for words.
        counts: how often each occurs.
        codes: a mask of those that may be codes; they are not part of the others.
    """
    others = np.isfinite(numbers) & ~codes
    if not others.any():
        return np.zeros(len(numbers), dtype=bool)
    outside = np.zeros(len(numbers), dtype=bool)
    rest = _merge(numbers[others], counts[others])
    for row in np.flatnonzero(codes & np.isfinite(numbers)):
        low, high = rest.edges(int(counts[row]))
        spike = counts[row] >= _MIN_REPEATS * max(1, int(rest.counts.max()))
        outside[row] = numbers[row] < low or numbers[row] > high or spike
    return outside


def _merge(numbers: np.ndarray, counts: np.ndarray) -> _Rest:
    values, inverse = np.unique(numbers, return_inverse=True)
    return _Rest(values, np.bincount(inverse, weights=counts, minlength=len(values)))


def _candidates(column: _Rest) -> list[float]:
    """Return the numbers that repeat and look like codes, the nearest to the median first."""
    repeated = column.counts >= _MIN_REPEATS
    whole_negatives = (column.values < 0) & (column.values == np.round(column.values))
    looks = np.isin(column.values, _usual_codes()) | whole_negatives
    candidates = column.values[repeated & looks]
    median = float(np.median(column.values))
    return sorted(candidates.tolist(), key=lambda code: abs(code - median))


def _is_code(code: float, repeats: int, rest: _Rest, *, nines_say_nothing: bool) -> bool:
    low, high = rest.edges(repeats)
    median = float(np.median(rest.values))
    if code < low:
        return _is_low_code(code, repeats, rest, (low - code) / max(median - low, 1e-9), low)
    if code > high and not nines_say_nothing and code in _usual_codes():
        in_tail = high > 0 and repeats * np.log(code / high) < _TAIL_EVIDENCE
        far = _NEARER * _FAR_NINES if _is_spike(repeats, rest) else _FAR_NINES
        return not in_tail and code - high >= far * (high - median)
    return False


def _is_spike(repeats: int, rest: _Rest) -> bool:
    return repeats >= _SPIKE * float(rest.counts.max())


def _is_low_code(code: float, repeats: int, rest: _Rest, distance: float, low: float) -> bool:
    share = repeats / (repeats + rest.total)
    if code == _LEAST_CHANGE and low < 0:
        return False
    if -10 < code < 0:
        is_far = distance >= _FAR_MINUS_ONE or _is_spike(repeats, rest)
        return low > 0 and is_far and share < _MAX_SMALL_SHARE and code in (-1, -9)
    if code in _usual_codes():
        is_round = code % 10 == 0
        far = _FAR_BELOW_ZERO if low >= 0 else _FAR_ROUND if is_round else _FAR_NINES
        return distance >= (_NEARER * far if _is_spike(repeats, rest) else far)
    return low >= 0 and distance >= _FAR_ANY_NEGATIVE


def _ends_are_usual(values: Sequence[str], mask: np.ndarray) -> bool:
    """Return whether these values are prices that often end with 99."""
    texts = [value.strip() for value, is_chosen in zip(values, mask, strict=True) if is_chosen]
    ends = [_NINES_END.search(text) is not None for text in texts]
    return bool(ends) and float(np.mean(ends)) > _USUAL_NINES


@cache
def _usual_codes() -> np.ndarray:
    """Return the numbers that people and programs write for a missing value."""
    nines = [float(digit * length) for digit in "987" for length in range(2, 11)]
    decimals = [float(f"{'9' * whole}.{'9' * part}") for whole in range(1, 7) for part in range(1, 5)]
    rounds = [float(head * 10**power) for head in range(1, 10) for power in range(2, 7)]
    quarters = [999.25, 9999.25]  # of well logs
    limits = [2.0**bits + shift for bits in (15, 16, 31, 32, 63) for shift in (-1, 0)]
    fills = [1e20, 1e30, 1e31, 1e36, 1e37, 9.96921e36, 3.4028235e38, 1.7976931348623157e308]
    positive = [*nines, *decimals, *quarters, *limits, *fills]
    negative = [-code for code in (*positive, *rounds, 1.0, 9.0)]
    return np.array(sorted({*positive, *negative}))
