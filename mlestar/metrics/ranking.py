"""Scores of an order: of survival times, and of the rows of each query."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlestar.metrics.scoring import Array, ClassLabels


def concordance(truth: Array, predicted: Array, labels: ClassLabels) -> float:
    """Return the share of comparable pairs in which the higher risk has the earlier event (Harrell's C).

    The truth has two columns, time and event (1, or 0 where the time is censored). A pair is comparable if the earlier
    time is that of an event; at equal times, an event comes before a censored row. Equal risks count half.
    """
    if truth.ndim != 2 or truth.shape[1] != 2 or predicted.ndim != 1:
        msg = "the concordance index needs two true columns, time and event, and one prediction"
        raise ValueError(msg)
    times, events = truth[:, 0], truth[:, 1]
    if not np.isin(events, (0, 1)).all():
        msg = "the second true column must be the event: 1, or 0 where the time is censored"
        raise ValueError(msg)
    pairs, concordant = _count_pairs(times, events.astype(bool), predicted)
    if not pairs:
        msg = "the concordance index is undefined: no two rows can be compared"
        raise ValueError(msg)
    return concordant / pairs


def concordance_of_times(truth: Array, predicted: Array, labels: ClassLabels) -> float:
    """Return the concordance index of predicted times: the longer one has the lower risk."""
    return concordance(truth, -predicted, labels)


def _count_pairs(times: Array, events: NDArray[np.bool_], risk: Array) -> tuple[int, float]:
    """Return the comparable pairs, and the concordant ones with equal risks counted half."""
    order = np.lexsort((risk, ~events, times))
    times, events, risk = times[order], events[order], risk[order]
    later = np.arange(len(times))[::-1]
    pairs, concordant = int(later[events].sum()), _count_lower_later(risk, events)
    # Events at the same time cannot be compared; they are in the order of their risk, so only equal risks counted.
    tied = pd.DataFrame({"time": times[events], "risk": risk[events]})
    pairs -= _pairs_within(tied.groupby("time").size())
    return pairs, concordant - _pairs_within(tied.groupby(["time", "risk"]).size()) / 2


def _pairs_within(sizes: "pd.Series[int]") -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _count_lower_later(values: Array, counted: NDArray[np.bool_]) -> float:
    """Return how many later values are lower, added up over the counted positions; equal ones count half.

    Blocks are doubled, as in a merge sort, and each left half is compared with the right half beside it.
    """
    _, ranks = np.unique(values, return_inverse=True)
    size, positions, total, width = len(values), np.arange(len(values)), 0.0, 1
    while width < size:
        block, right = positions // (2 * width), (positions // width) % 2 == 1
        keys = block * (size + 1) + ranks
        later = np.sort(keys[right])
        left = ~right & counted
        starts = np.searchsorted(later, block[left] * (size + 1))
        lower = np.searchsorted(later, keys[left], side="left")
        not_higher = np.searchsorted(later, keys[left], side="right")
        total += float(((lower + not_higher) / 2 - starts).sum())
        width *= 2
    return total


def query_ndcg(truth: Array, predicted: Array, labels: ClassLabels, *, k: int) -> float:
    """Return the mean over queries of the gain of their k first rows over the largest possible one.

    The gain of a relevance r is 2^r - 1, as in Burges et al. (2005), "Learning to Rank using Gradient Descent"; queries
    without a relevant row are left out. Equal predictions are put in the worst order.
    """
    query = labels.extra[0]
    frame = pd.DataFrame({"query": query, "gain": 2.0**truth - 1})
    gain = _discounted(frame, np.lexsort((truth, -predicted)), k)
    best = _discounted(frame, np.argsort(-truth, kind="stable"), k)
    return _mean_of_queries(gain / best.where(best > 0))


def query_map(truth: Array, predicted: Array, labels: ClassLabels, *, k: int) -> float:
    """Return the mean over queries of the average precision of their k first rows; those without a hit are left out."""
    relevant = truth > 0
    frame = pd.DataFrame({"query": labels.extra[0], "hit": relevant.astype(float)})
    size = frame.groupby("query")["hit"].sum()
    ranked = frame.iloc[np.lexsort((relevant, -predicted))]
    place = ranked.groupby("query").cumcount() + 1
    precision = ranked.groupby("query")["hit"].cumsum() / place * ranked["hit"] * (place <= k)
    total = precision.groupby(ranked["query"]).sum()
    return _mean_of_queries(total / size.clip(upper=k).where(size > 0))


def _discounted(frame: pd.DataFrame, order: NDArray[np.intp], k: int) -> "pd.Series[float]":
    ranked = frame.iloc[order]
    place = ranked.groupby("query").cumcount()
    gains = ranked["gain"] / np.log2(place + 2) * (place < k)
    return gains.groupby(ranked["query"]).sum()


def _mean_of_queries(scores: "pd.Series[float]") -> float:
    if scores.isna().all():
        msg = "the metric is undefined: no query has a relevant row"
        raise ValueError(msg)
    return float(scores.mean())
