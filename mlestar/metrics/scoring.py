"""Scoring functions.

Each takes the truth, the predictions and the `ClassLabels`, and returns a number. Truth is canonical text for labels
and probabilities, floats for values; rows come first, several targets or classes are columns.
A metric that is undefined on the rows raises ValueError with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk

Array = NDArray[np.float64]
Text = NDArray[np.object_]
LOWEST_PROBABILITY = 1e-15
"""Keeps the logarithm finite; the bound of scikit-learn's `log_loss` before version 1.2."""
_ROUNDING = 1e-12
"""Distance of a weighted kappa from 0 that rounding may cause. NumPy adds in pairs, so that the relative error of the
sum of a million numbers is about 20 times 1.1e-16; one other prediction in a million changes the kappa by more."""


@dataclass(frozen=True)
class ClassLabels:
    """What scoring needs besides truth and predictions."""

    classes: tuple[str, ...] = ()
    """Which label each probability column is for."""
    pos_label: str | None = None
    """Which label is the positive one."""
    extra: tuple[NDArray[Any], ...] = ()
    """Other values of the rows, such as their weights."""


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
    recalls = pd.Series(truth == predicted).groupby(pd.Series(truth), sort=False).mean()
    return float(recalls.mean())


def f1(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return F1 of the positive label; 0 when nothing is predicted positive."""
    positive = _positive(labels)
    return float(sk.f1_score(truth == positive, predicted == positive, zero_division=0.0))


def f_beta(truth: Text, predicted: Text, labels: ClassLabels, *, beta: float) -> float:
    """Return F-beta of the positive label; 0 when nothing is predicted positive."""
    positive = _positive(labels)
    return float(sk.fbeta_score(truth == positive, predicted == positive, beta=beta, zero_division=0.0))


def macro_f_beta(truth: Text, predicted: Text, labels: ClassLabels, *, beta: float) -> float:
    return label_score(sk.fbeta_score, beta=beta, average="macro", zero_division=0.0)(truth, predicted, labels)


def jaccard(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the Jaccard index of the rows of the positive label."""
    positive = _positive(labels)
    return float(sk.jaccard_score(truth == positive, predicted == positive, zero_division=0.0))


def linear_kappa(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return Cohen's kappa with linear weights; the distance of two grades is their numeric difference."""
    grades = _grades(np.concatenate([truth, predicted]), labels.classes)
    true_grades, predicted_grades = grades[: len(truth)], grades[len(truth) :]
    values, codes = np.unique(grades, return_inverse=True)
    true_shares, predicted_shares = (
        np.bincount(part, minlength=len(values)) / len(truth) for part in (codes[: len(truth)], codes[len(truth) :])
    )
    expected = float(true_shares @ np.abs(values[:, None] - values) @ predicted_shares)
    if expected == 0:
        msg = "linear weighted kappa is undefined: truth and predictions are one and the same grade"
        raise ValueError(msg)
    return _without_rounding_error(1 - np.abs(true_grades - predicted_grades).mean() / expected)


def kappa(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return Cohen's kappa without weights."""
    if len(np.unique(np.concatenate([truth, predicted]).astype(str))) < 2:
        msg = "kappa is undefined: truth and predictions are one and the same label"
        raise ValueError(msg)
    return float(label_score(sk.cohen_kappa_score)(truth, predicted, labels))


def qwk(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return Cohen's kappa with quadratic weights; the distance of two grades is their numeric difference."""
    grades = _grades(np.concatenate([truth, predicted]), labels.classes)
    true_grades, predicted_grades = grades[: len(truth)], grades[len(truth) :]
    # Mean squared difference over its expectation under independence: both need only moments.
    shift = true_grades.mean() - predicted_grades.mean()
    expected = true_grades.var() + predicted_grades.var() + shift**2
    if expected == 0:
        msg = "quadratic weighted kappa is undefined: truth and predictions are one and the same grade"
        raise ValueError(msg)
    return _without_rounding_error(1 - ((true_grades - predicted_grades) ** 2).mean() / expected)


def _without_rounding_error(score: float) -> float:
    """Return a kappa; 0 where only rounding makes it differ from that, as that of a constant does."""
    return 0.0 if abs(score) < _ROUNDING else float(score)


def _grades(labels: Text, classes: tuple[str, ...]) -> Array:
    try:
        return labels.astype(np.float64)
    except ValueError:
        ranks = {label: float(rank) for rank, label in enumerate(classes)}
    unknown = sorted(set(labels) - set(ranks))
    if unknown:
        msg = f"grade {unknown[0]!r} is neither a number nor one of the classes {list(classes)}"
        raise ValueError(msg)
    return np.array([ranks[label] for label in labels])


def by_class(function: Callable[[NDArray[np.bool_], Array], float]) -> Callable[[Text, Array, ClassLabels], float]:
    """Adapt a function of (is positive, score) to binary, one-vs-rest multiclass and multilabel predictions.

    The mean is over the classes (or target columns) that occur in the truth but are not all of it.
    """

    def score(truth: Text, predicted: Array, labels: ClassLabels) -> float:
        pairs = _pairs(truth, predicted, labels)
        scores = [function(positive, column) for positive, column in pairs if 0 < positive.sum() < len(positive)]
        if not scores:
            msg = "the metric is undefined: the truth holds a single class"
            raise ValueError(msg)
        return float(np.mean(scores))

    return score


def _pairs(truth: Text, predicted: Array, labels: ClassLabels) -> list[tuple[NDArray[np.bool_], Array]]:
    """Return (is positive, probability) for each class or target column."""
    if truth.ndim == 2:
        positive = labels.pos_label or "1"
        return [(truth[:, i] == positive, predicted[:, i]) for i in range(truth.shape[1])]
    if predicted.ndim == 1:
        return [(truth == _positive(labels), predicted)]
    _check_classes(predicted, labels)
    if len(labels.classes) == 2:
        index = labels.classes.index(labels.pos_label) if labels.pos_label in labels.classes else 1
        return [(truth == labels.classes[index], predicted[:, index])]
    return [(truth == label, predicted[:, index]) for index, label in enumerate(labels.classes)]


def log_loss(truth: Text, predicted: Array, labels: ClassLabels) -> float:
    """Return the mean negative log-likelihood; rows of class probabilities are rescaled to sum to one."""
    if truth.ndim == 2 or predicted.ndim == 1:
        pairs = _pairs(truth, _clip(predicted), labels)
        losses = [-np.log(np.where(positive, column, 1 - column)).mean() for positive, column in pairs]
        return float(np.mean(losses))
    shares = _shares(predicted)
    columns = _class_columns(truth, predicted, labels)
    return float(-np.log(_clip(shares[np.arange(len(truth)), columns])).mean())


def brier(truth: Text, predicted: Array, labels: ClassLabels) -> float:
    """Return the mean squared difference of probability and outcome, summed over classes when there are several."""
    if truth.ndim == 2 or predicted.ndim == 1:
        pairs = _pairs(truth, predicted, labels)
        return float(np.mean([((column - positive) ** 2).mean() for positive, column in pairs]))
    outcome = np.zeros_like(predicted)
    outcome[np.arange(len(truth)), _class_columns(truth, predicted, labels)] = 1
    return float(((predicted - outcome) ** 2).sum(axis=1).mean())


def _clip(probabilities: Array) -> Array:
    return np.clip(probabilities, LOWEST_PROBABILITY, 1 - LOWEST_PROBABILITY)


def _shares(predicted: Array) -> Array:
    total = predicted.sum(axis=1, keepdims=True)
    if (total <= 0).any():
        msg = f"the probabilities of row {int(np.argmax(total <= 0)) + 1} sum to zero"
        raise ValueError(msg)
    shares: Array = predicted / total
    return shares


def _class_columns(truth: Text, predicted: Array, labels: ClassLabels) -> NDArray[np.intp]:
    """Return the column of each row's true class."""
    _check_classes(predicted, labels)
    columns = pd.Index(labels.classes).get_indexer(pd.Index(truth))
    if (columns < 0).any():
        msg = f"label {truth[int(np.argmin(columns))]!r} is not one of the classes {list(labels.classes)}"
        raise ValueError(msg)
    return columns


def _check_classes(predicted: Array, labels: ClassLabels) -> None:
    if predicted.shape[1] != len(labels.classes):
        msg = f"{predicted.shape[1]} probability columns for {len(labels.classes)} classes"
        raise ValueError(msg)


def _positive(labels: ClassLabels) -> str:
    if labels.pos_label is None:
        msg = "the positive class is unknown: set pos_label"
        raise ValueError(msg)
    return labels.pos_label


def by_column(function: Callable[[Array, Array], float]) -> Callable[[Array, Array, ClassLabels], float]:
    """Adapt a function of two vectors to several target columns, by their mean."""

    @wraps(function)
    def score(truth: Array, predicted: Array, labels: ClassLabels) -> float:
        columns = zip(truth.reshape(len(truth), -1).T, predicted.reshape(len(predicted), -1).T, strict=True)
        return float(np.mean([function(true, guess) for true, guess in columns]))

    return score


def rmsle(truth: Array, predicted: Array) -> float:
    for name, values in (("prediction", predicted), ("true value", truth)):
        if (values < 0).any():
            row = int(np.argmax(values < 0))
            msg = f"RMSLE needs values of at least 0, but {name} {row + 1} is {values[row]:g}"
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
    for name, values in (("predictions", predicted), ("true values", truth)):
        if values.std() == 0:
            msg = f"the correlation is undefined: all {name} are equal"
            raise ValueError(msg)
    return float(np.corrcoef(truth, predicted)[0, 1])


def spearman(truth: Array, predicted: Array) -> float:
    return pearson(_ranks(truth), _ranks(predicted))


def _ranks(values: Array) -> Array:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def exact_match(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return the share of equal texts, surrounding blanks ignored."""
    pairs = zip(truth.ravel(), predicted.ravel(), strict=True)
    return float(np.mean([true.strip() == guess.strip() for true, guess in pairs]))


def word_error_rate(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    """Return word edits over the number of true words, all rows together."""
    words = sum(len(text.split()) for text in truth.ravel())
    if not words:
        msg = "the word error rate is undefined: the truth holds no words"
        raise ValueError(msg)
    pairs = zip(truth.ravel(), predicted.ravel(), strict=True)
    return sum(_edits(true, guess) for true, guess in pairs) / words


@lru_cache(maxsize=200_000)
def _edits(truth: str, predicted: str) -> int:
    """Return the Levenshtein distance in words; cached because bootstrap repeats the rows."""
    true_words, predicted_words = truth.split(), predicted.split()
    distances = list(range(len(predicted_words) + 1))
    for row, true_word in enumerate(true_words, 1):
        diagonal, distances[0] = distances[0], row
        for column, word in enumerate(predicted_words, 1):
            change = diagonal + (true_word != word)
            diagonal = distances[column]
            distances[column] = min(distances[column] + 1, distances[column - 1] + 1, change)
    return distances[-1]
