"""Predictions beside the truth, in the form in which the report shows them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.targets import is_number
from mlestar.evaluation.answers import Answers, read_submission
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics import canonical

MOST_POINTS = 400
"""Rows that a chart shows. Chosen by judgement."""
MOST_CLASSES = 12
"""Classes with a row of their own; the rest are one row. Chosen by judgement."""
BINS = 10
"""Equally large groups of rows by their predicted probability."""
OTHER = "other"


class NotShownError(Exception):
    """Predictions of this kind are not shown beside the truth; the message says why."""


class Bin(BaseModel):
    """Rows with similar predicted probabilities."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    predicted: float
    """Their mean."""
    true: float
    """The share of rows for which the event came true."""
    error: float
    """The standard error of that share."""
    rows: int


class Outcome(BaseModel):
    """Predictions of one target beside the truth."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: Literal["values", "labels", "probabilities"]
    target: str
    rows: int
    event: str = ""
    """Of probabilities: what came true."""
    points: tuple[tuple[float, float], ...] = ()
    """Of values: prediction and truth of a random choice of rows."""
    bins: tuple[Bin, ...] = ()
    """Of probabilities."""
    classes: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()
    """Rows by true class, then by predicted class; the last one may be all other classes."""


def compare_with_truth(answers: Answers, submission: Path) -> Outcome:
    """Return the predictions of a submission for the first target beside the truth.

    Raises:
        NotShownError: they are neither values, labels nor probabilities of one row each.
    """
    spec = answers.form.spec
    if answers.form.lines is not None or spec.prediction_kind == "text" or answers.form.metric.several_labels:
        msg = "predictions are texts, lists or lines"
        raise NotShownError(msg)
    try:
        predicted = read_submission(answers.form, submission)
    except SubmissionError as error:
        raise NotShownError(str(error)) from None
    truth = answers.truth
    if spec.prediction_kind == "probability":
        return _probabilities(answers, truth, predicted.astype(float))
    first = truth.reshape(len(truth), -1)[:, 0], predicted.reshape(len(predicted), -1)[:, 0]
    if spec.prediction_kind == "value":
        return _values(spec.target[0], *(column.astype(float) for column in first))
    return _labels(spec.target[0], *first)


def _values(target: str, truth: np.ndarray, predicted: np.ndarray) -> Outcome:
    known = np.flatnonzero(np.isfinite(truth) & np.isfinite(predicted))
    chosen = np.sort(np.random.default_rng(0).permutation(known)[:MOST_POINTS])
    points = tuple((float(predicted[row]), float(truth[row])) for row in chosen)
    return Outcome(kind="values", target=target, rows=len(truth), points=points)


def _labels(target: str, truth: np.ndarray, predicted: np.ndarray) -> Outcome:
    true, guessed = ([_label(cell) for cell in column] for column in (truth, predicted))
    common = pd.Series(true).value_counts()
    names = list(common.index[:MOST_CLASSES])
    names.sort(key=lambda name: (0, float(name), name) if is_number(name) else (1, 0.0, name))
    shown = [*names, OTHER] if set(true) | set(guessed) > set(names) else names
    place = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    for one, other in zip(true, guessed, strict=True):
        counts[place.get(one, len(names)), place.get(other, len(names))] += 1
    table = tuple(tuple(int(count) for count in row) for row in counts)
    return Outcome(kind="labels", target=target, rows=len(true), classes=tuple(shown), counts=table)


def _label(cell: object) -> str:
    return canonical(str(cell))


def _probabilities(answers: Answers, truth: np.ndarray, predicted: np.ndarray) -> Outcome:
    """Return how often the event came true by its predicted probability, of one class or of the most probable one."""
    spec = answers.form.spec
    if truth.ndim == 1 and predicted.ndim == 2 and predicted.shape[1] == len(spec.classes):
        classes = np.array([canonical(label) for label in spec.classes])
        chosen = predicted.argmax(axis=1)
        shares = predicted[np.arange(len(predicted)), chosen] / np.maximum(predicted.sum(axis=1), 1e-300)
        came_true = classes[chosen] == np.array([_label(cell) for cell in truth])
        event = "the most probable class is the true one"
    else:
        shares = predicted.reshape(len(predicted), -1)[:, 0]
        column = truth.reshape(len(truth), -1)[:, 0]
        positive = canonical(spec.pos_label) if spec.pos_label is not None else "1"
        came_true = np.array([_label(cell) for cell in column]) == positive
        event = f"{spec.target[0]} is {spec.pos_label}" if spec.pos_label is not None else f"{spec.target[0]} is 1"
    if not len(shares) or not np.isfinite(shares).all() or shares.min() < 0 or shares.max() > 1:
        msg = "predictions are scores outside of 0 to 1"
        raise NotShownError(msg)
    return Outcome(
        kind="probabilities", target=spec.target[0], rows=len(shares), event=event, bins=_bins(shares, came_true)
    )


def _bins(shares: np.ndarray, came_true: np.ndarray) -> tuple[Bin, ...]:
    groups: Sequence[np.ndarray] = np.array_split(np.argsort(shares, kind="stable"), min(BINS, len(shares)))
    bins = []
    for rows in groups:
        predicted, true = float(shares[rows].mean()), float(came_true[rows].mean())
        # With the expected share, because that of a few rows may be 0 or 1, which has no spread.
        error = float(np.sqrt(max(predicted * (1 - predicted), 0.0) / len(rows)))
        bins.append(Bin(predicted=predicted, true=true, error=error, rows=len(rows)))
    return tuple(bins)
