"""Scores of cells that hold several labels: sets of labels, and ranked ones.

Labels in a cell are separated by commas, semicolons or bars, else by blanks. Each score is the mean over the rows, so
that a row's score is computed once for all resamples of a bootstrap.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlestar.metrics.labels import canonical
from mlestar.metrics.scoring import ClassLabels

Text = NDArray[np.object_]
Labels = tuple[str, ...]
RowScore = Callable[[Labels, Labels], float]
RankedScore = Callable[[Labels, Labels, int], float]
_MARKS = ",;|"


@lru_cache(maxsize=200_000)
def split_labels(cell: str, *, blanks: bool = True) -> Labels:
    """Return the different labels of a cell, in their order; where `blanks` do not separate, only marks do."""
    separators = rf"[{_MARKS}\s]+" if blanks else f"[{_MARKS}]"
    parts = (part.strip(" \t'\"") for part in re.split(separators, cell.strip(" \t[](){}")))
    return tuple(dict.fromkeys(canonical(part) for part in parts if part))


def labels_of(cells: Iterable[str], *, one_label: bool = False) -> Labels:
    """Return the different labels of a column whose cells may hold several.

    Args:
        cells: the different cells.
        one_label: a cell may also be one label that contains blanks, such as `New York`.
    """
    cells = [cell for cell in cells if cell.strip()]
    blanks = _separated_by_blanks(cells, one_label=one_label)
    return tuple(dict.fromkeys(label for cell in cells for label in split_labels(cell, blanks=blanks)))


def holds_several_labels(cells: Iterable[str], *, separator: str = f"[{_MARKS}]") -> bool:
    """Return whether the different cells of a column look like combinations of fewer labels."""
    cells = [cell for cell in cells if cell.strip()]
    parts = [[part for part in re.split(separator, cell.strip()) if part.strip()] for cell in cells]
    labels = {part.strip() for cell in parts for part in cell}
    return any(len(cell) > 1 for cell in parts) and len(labels) < len(cells)


def _separated_by_blanks(cells: list[str], *, one_label: bool) -> bool:
    if any(mark in cell for cell in cells for mark in _MARKS):
        return not any(" " in part.strip() for cell in cells for part in re.split(f"[{_MARKS}]", cell))
    if not one_label:
        return True
    return not any(" " in cell.strip() for cell in cells) or holds_several_labels(cells, separator=r"\s+")


def _rows(truth: Text, predicted: Text, labels: ClassLabels) -> list[tuple[Labels, Labels]]:
    """Return the true and the predicted labels of each row; a column for each prediction is one cell."""
    blanks = not any(" " in label for label in labels.classes)
    cells = [",".join(row) for row in predicted] if predicted.ndim == 2 else predicted
    pairs = zip(truth, cells, strict=True)
    return [(split_labels(true, blanks=blanks), split_labels(guess, blanks=blanks)) for true, guess in pairs]


def by_row(row_score: RowScore) -> Callable[[Text, Text, ClassLabels], float]:
    """Adapt the score of one row; the result is the mean over the rows."""
    cached = lru_cache(maxsize=200_000)(row_score)

    def score(truth: Text, predicted: Text, labels: ClassLabels) -> float:
        return float(np.mean([cached(true, guess) for true, guess in _rows(truth, predicted, labels)]))

    return score


def by_row_at(row_score: RankedScore) -> Callable[..., float]:
    """Adapt the score of one row's first k labels."""
    cached = lru_cache(maxsize=200_000)(row_score)

    def score(truth: Text, predicted: Text, labels: ClassLabels, *, k: int) -> float:
        return float(np.mean([cached(true, guess, k) for true, guess in _rows(truth, predicted, labels)]))

    return score


def f1_of_row(true: Labels, predicted: Labels) -> float:
    """Return F1 of two sets, also called their Dice coefficient; two empty ones agree."""
    size = len(true) + len(predicted)
    return 2 * len(set(true) & set(predicted)) / size if size else 1.0


@lru_cache(maxsize=200_000)
def f_beta_of_row(true: Labels, predicted: Labels, beta: float) -> float:
    """Return F-beta of two sets; two empty ones agree."""
    size = beta**2 * len(true) + len(predicted)
    return (1 + beta**2) * len(set(true) & set(predicted)) / size if size else 1.0


def row_f_beta(truth: Text, predicted: Text, labels: ClassLabels, *, beta: float) -> float:
    return float(np.mean([f_beta_of_row(true, guess, beta) for true, guess in _rows(truth, predicted, labels)]))


def jaccard_of_row(true: Labels, predicted: Labels) -> float:
    """Return the size of the intersection over that of the union; two empty sets agree."""
    union = set(true) | set(predicted)
    return len(set(true) & set(predicted)) / len(union) if union else 1.0


def precision_of_row(true: Labels, predicted: Labels, k: int) -> float:
    """Return the average precision of the first k predicted labels, over the labels that k could hold."""
    hits, total = 0, 0.0
    for place, label in enumerate(predicted[:k], 1):
        if label in true:
            hits += 1
            total += hits / place
    return total / min(len(true), k) if true else 0.0


def ndcg_of_row(true: Labels, predicted: Labels, k: int) -> float:
    """Return the discounted gain of the first k predicted labels over the largest possible one."""
    gain = sum(1 / math.log2(place + 1) for place, label in enumerate(predicted[:k], 1) if label in true)
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(true), k) + 1))
    return gain / best if best else 0.0


def hit_of_row(true: Labels, predicted: Labels, k: int) -> float:
    """Return whether a true label is among the first k predicted ones."""
    return float(bool(set(true) & set(predicted[:k])))


def micro_f1(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return F1 of all pairs of row and label together."""
    rows = _rows(truth, predicted, labels)
    size = sum(len(true) + len(guess) for true, guess in rows)
    return 2 * sum(len(set(true) & set(guess)) for true, guess in rows) / size if size else 1.0


def macro_f1(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the mean of the labels' F1, over the labels that occur."""
    rows = _rows(truth, predicted, labels)
    hits = Counter(label for true, guess in rows for label in set(true) & set(guess))
    sizes = Counter(label for true, guess in rows for label in (*true, *guess))
    return float(np.mean([2 * hits[label] / size for label, size in sizes.items()])) if sizes else 1.0


def word_jaccard(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the mean Jaccard index of the sets of words of two texts, case ignored."""
    pairs = zip(truth.ravel(), predicted.ravel(), strict=True)
    return float(
        np.mean([jaccard_of_row(tuple(true.lower().split()), tuple(guess.lower().split())) for true, guess in pairs])
    )


def top_probabilities(truth: Text, predicted: NDArray[np.float64], labels: ClassLabels, *, k: int) -> float:
    """Return the share of rows whose class is among the k likeliest; equal probabilities count against the row."""
    columns = pd.Index(labels.classes).get_indexer(pd.Index(truth))
    if (columns < 0).any():
        msg = f"label {truth[int(np.argmin(columns))]!r} is not one of the classes {list(labels.classes)}"
        raise ValueError(msg)
    own = predicted[np.arange(len(truth)), columns]
    return float(((predicted >= own[:, None]).sum(axis=1) <= k).mean())
