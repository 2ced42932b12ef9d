"""Scoring functions.

Each takes the truth, the predictions and a `ClassLabels`, and returns a number. Truth is canonical text for labels and
probabilities, floats for values; rows come first, several targets or classes are columns.
A metric that is undefined on the rows raises ValueError with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk

Array = NDArray[np.float64]
Text = NDArray[np.object_]


@dataclass(frozen=True)
class ClassLabels:
    """Which label each probability column stands for, and which label is the positive one."""

    classes: tuple[str, ...] = ()
    pos_label: str | None = None


def _codes(truth: Text, predicted: Text) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the labels; scikit-learn is many times faster on numbers than on text."""
    codes, _ = pd.factorize(np.concatenate([truth, predicted]).astype(object))
    return codes[: len(truth)], codes[len(truth) :]


def label_score(function: Callable[..., float], **options: object) -> Callable[[Text, Text, ClassLabels], float]:
    """Adapt a scikit-learn function of two label vectors; several target columns are averaged."""

    def score(truth: Text, predicted: Text, labels: ClassLabels) -> float:
        if truth.ndim == 2:
            return float(np.mean([score(truth[:, i], predicted[:, i], labels) for i in range(truth.shape[1])]))
        return float(function(*_codes(truth, predicted), **options))

    return score


def balanced_accuracy(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the mean recall over the classes that occur in the truth."""
    right = pd.Series(truth == predicted).groupby(pd.Series(truth), sort=False).mean()
    return float(right.mean())


def f1(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return F1 of the positive label; 0 when nothing is predicted positive."""
    positive = _positive(labels)
    return float(sk.f1_score(truth == positive, predicted == positive, zero_division=0.0))


def qwk(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return Cohen's kappa with quadratic weights; the distance of two grades is their numeric difference."""
    grades = _grades(np.concatenate([truth, predicted]), labels.classes)
    mine, theirs = grades[: len(truth)], grades[len(truth) :]
    # Mean squared difference over its expectation under independence: both need only moments.
    expected = mine.var() + theirs.var() + (mine.mean() - theirs.mean()) ** 2
    if expected == 0:
        msg = "quadratic weighted kappa is undefined: truth and predictions are one and the same grade"
        raise ValueError(msg)
    return float(1 - ((mine - theirs) ** 2).mean() / expected)


def _grades(labels: Text, classes: tuple[str, ...]) -> Array:
    try:
        return labels.astype(np.float64)
    except ValueError:
        order = {label: float(place) for place, label in enumerate(classes)}
    unknown = sorted(set(labels) - set(order))
    if unknown:
        msg = f"grade {unknown[0]!r} is neither a number nor one of the classes {list(classes)}"
        raise ValueError(msg)
    return np.array([order[label] for label in labels])


def by_class(function: Callable[[NDArray[np.bool_], Array], float]) -> Callable[[Text, Array, ClassLabels], float]:
    """Adapt a function of (is positive, score) to binary, one-vs-rest multiclass and multilabel predictions.

    The mean goes over the classes (or target columns) that occur in the truth but do not fill it.
    """

    def score(truth: Text, predicted: Array, labels: ClassLabels) -> float:
        pairs = _pairs(truth, predicted, labels)
        usable = [function(hit, column) for hit, column in pairs if 0 < hit.sum() < len(hit)]
        if not usable:
            msg = "the metric is undefined: the truth holds a single class"
            raise ValueError(msg)
        return float(np.mean(usable))

    return score


def _pairs(truth: Text, predicted: Array, labels: ClassLabels) -> list[tuple[NDArray[np.bool_], Array]]:
    if truth.ndim == 2:
        positive = labels.pos_label or "1"
        return [(truth[:, i] == positive, predicted[:, i]) for i in range(truth.shape[1])]
    if predicted.ndim == 1:
        return [(truth == _positive(labels), predicted)]
    _check_classes(predicted, labels)
    if len(labels.classes) == 2:
        place = labels.classes.index(labels.pos_label) if labels.pos_label in labels.classes else 1
        return [(truth == labels.classes[place], predicted[:, place])]
    return [(truth == label, predicted[:, place]) for place, label in enumerate(labels.classes)]


def log_loss(truth: Text, predicted: Array, labels: ClassLabels) -> float:
    """Return the mean negative log-likelihood; rows of class probabilities are rescaled to sum to one."""
    if truth.ndim == 2 or predicted.ndim == 1:
        pairs = _pairs(truth, np.clip(predicted, 1e-15, 1 - 1e-15), labels)
        return float(np.mean([-np.log(np.where(hit, column, 1 - column)).mean() for hit, column in pairs]))
    shares = _shares(predicted)
    places = _places(truth, predicted, labels)
    return float(-np.log(np.clip(shares[np.arange(len(truth)), places], 1e-15, 1 - 1e-15)).mean())


def brier(truth: Text, predicted: Array, labels: ClassLabels) -> float:
    """Return the mean squared difference of probability and outcome, summed over classes when there are several."""
    if truth.ndim == 2 or predicted.ndim == 1:
        return float(np.mean([((column - hit) ** 2).mean() for hit, column in _pairs(truth, predicted, labels)]))
    outcome = np.zeros_like(predicted)
    outcome[np.arange(len(truth)), _places(truth, predicted, labels)] = 1
    return float(((predicted - outcome) ** 2).sum(axis=1).mean())


def _shares(predicted: Array) -> Array:
    total = predicted.sum(axis=1, keepdims=True)
    if (total <= 0).any():
        msg = f"the probabilities of row {int(np.argmax(total <= 0)) + 1} sum to zero"
        raise ValueError(msg)
    shares: Array = predicted / total
    return shares


def _places(truth: Text, predicted: Array, labels: ClassLabels) -> NDArray[np.intp]:
    _check_classes(predicted, labels)
    places = pd.Index(labels.classes).get_indexer(pd.Index(truth))
    if (places < 0).any():
        msg = f"label {truth[int(np.argmin(places))]!r} is not one of the classes {list(labels.classes)}"
        raise ValueError(msg)
    return places


def _check_classes(predicted: Array, labels: ClassLabels) -> None:
    if predicted.shape[1] != len(labels.classes):
        msg = f"{predicted.shape[1]} probability columns for {len(labels.classes)} classes"
        raise ValueError(msg)


def _positive(labels: ClassLabels) -> str:
    if labels.pos_label is None:
        msg = "which class is positive is not known: set pos_label"
        raise ValueError(msg)
    return labels.pos_label


def by_column(function: Callable[[Array, Array], float]) -> Callable[[Array, Array, ClassLabels], float]:
    """Adapt a function of two vectors to several target columns, by their mean."""

    @wraps(function)
    def score(truth: Array, predicted: Array, labels: ClassLabels) -> float:
        wide = zip(truth.reshape(len(truth), -1).T, predicted.reshape(len(predicted), -1).T, strict=True)
        return float(np.mean([function(t, p) for t, p in wide]))

    return score


def rmsle(truth: Array, predicted: Array) -> float:
    for name, values in (("prediction", predicted), ("true value", truth)):
        if (values < 0).any():
            place = int(np.argmax(values < 0))
            msg = f"RMSLE needs values of at least 0, but {name} {place + 1} is {values[place]:g}"
            raise ValueError(msg)
    return float(np.sqrt(((np.log1p(predicted) - np.log1p(truth)) ** 2).mean()))


def smape(truth: Array, predicted: Array) -> float:
    """Return a fraction between 0 and 2; two zeros count as no error."""
    scale = np.abs(truth) + np.abs(predicted)
    return float((2 * np.abs(truth - predicted) / np.where(scale == 0, 1, scale)).mean())


def r2(truth: Array, predicted: Array) -> float:
    if truth.var() == 0:
        msg = "R2 is undefined: all true values are equal"
        raise ValueError(msg)
    return float(1 - ((truth - predicted) ** 2).mean() / truth.var())


def pearson(truth: Array, predicted: Array) -> float:
    if truth.std() == 0 or predicted.std() == 0:
        which = "predictions" if predicted.std() == 0 else "true values"
        msg = f"the correlation is undefined: all {which} are equal"
        raise ValueError(msg)
    return float(np.corrcoef(truth, predicted)[0, 1])


def spearman(truth: Array, predicted: Array) -> float:
    return pearson(_ranks(truth), _ranks(predicted))


def _ranks(values: Array) -> Array:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def exact_match(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the share of equal texts, blanks around them ignored."""
    pairs = zip(truth.ravel(), predicted.ravel(), strict=True)
    return float(np.mean([left.strip() == right.strip() for left, right in pairs]))


def word_error_rate(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return word edits over the number of true words, all rows together."""
    words = sum(len(text.split()) for text in truth.ravel())
    if not words:
        msg = "the word error rate is undefined: the truth holds no words"
        raise ValueError(msg)
    return sum(_edits(*pair) for pair in zip(truth.ravel(), predicted.ravel(), strict=True)) / words


@lru_cache(maxsize=200_000)
def _edits(truth: str, predicted: str) -> int:
    """Return the Levenshtein distance in words; cached because bootstrap repeats the rows."""
    mine, theirs = truth.split(), predicted.split()
    row = list(range(len(theirs) + 1))
    for place, word in enumerate(mine, 1):
        corner, row[0] = row[0], place
        for column, other in enumerate(theirs, 1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (word != other))
    return row[-1]
