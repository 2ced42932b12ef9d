"""Quantiles from predictions for withheld rows, and what share of other rows they cover."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from mlestar.data.targets import is_number
from mlestar.data.task import TaskSpec
from mlestar.evaluation.answers import Answers, read_submission
from mlestar.evaluation.blending.scales import RANKED
from mlestar.evaluation.predictions import SubmissionError
from mlestar.evaluation.submission import SubmissionForm
from mlestar.evaluation.uncertainty.conformal import (
    Scale,
    Tally,
    class_scores,
    class_sets,
    class_shares,
    conformal_quantiles,
    interval_bounds,
    residuals,
    tally,
)
from mlestar.evaluation.uncertainty.record import CHECKED, LEVELS
from mlestar.metrics import canonical
from mlestar.metrics.finite import Finite

MAX_TARGETS = 100
"""Targets beyond which nothing is computed. Chosen by judgement; not measured."""
_FREE_SCALE = RANKED | {"pearson"}
"""Metrics for which predictions may have any scale."""


class NotCalibratedError(Exception):
    """Predictions of this kind have no intervals or sets; the message says why."""


class TargetQuantiles(BaseModel):
    """The quantiles of one target."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    target: str
    quantiles: tuple[Finite, ...] = Field(min_length=len(LEVELS), max_length=len(LEVELS))
    """One for each of `LEVELS`."""


class Calibration(BaseModel):
    """The quantiles of a submission."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    scale: Scale
    targets: tuple[TargetQuantiles, ...]
    unseen_classes: int = 0
    """Classes that no row has."""


class Covered(BaseModel):
    """What the quantile of one target and level covers."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    tally: Tally = Tally()
    width: Finite = None
    """Mean over rows, of the intervals or of the number of classes in a set."""


class Coverage(BaseModel):
    """What the quantiles of a calibration cover on some rows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    rows: int
    units: int
    targets: tuple[tuple[Covered, ...], ...]
    """By target, then by level of `CHECKED`."""


@dataclass(frozen=True)
class _Target:
    """The predictions of one target with their scores."""

    name: str
    scores: np.ndarray
    predicted: np.ndarray
    """Values, or probabilities of shape (rows, classes)."""
    scale: Scale

    def widths(self, quantile: float) -> np.ndarray:
        """Return the width of each interval or the size of each set."""
        if self.scale == "probability":
            return np.asarray(class_sets(self.predicted, quantile).sum(axis=1), dtype=float)
        lower, upper = interval_bounds(self.predicted, quantile, self.scale)
        return np.asarray(upper - lower)


def calibrate(answers: Answers, submission: Path) -> Calibration:
    """Return the quantiles of a submission for withheld rows.

    Raises:
        NotCalibratedError: there are none.
    """
    predicted = _read(answers.form, submission)
    scale = _choose_scale(answers, predicted)
    targets = [
        TargetQuantiles(target=target.name, quantiles=conformal_quantiles(target.scores, answers.units, LEVELS))
        for target in _targets(answers, predicted, scale)
    ]
    return Calibration(scale=scale, targets=tuple(targets), unseen_classes=_count_unseen(answers))


def cover(answers: Answers, submission: Path, calibration: Calibration) -> Coverage:
    """Return what quantiles cover on the rows of a submission of the same script.

    Raises:
        NotCalibratedError: the submission cannot be read.
    """
    predicted, units = _read(answers.form, submission), answers.units
    targets = []
    pairs = zip(_targets(answers, predicted, calibration.scale), calibration.targets, strict=True)
    for target, known in pairs:
        quantiles = dict(zip(LEVELS, known.quantiles, strict=True))
        targets.append(tuple(_cover(target, quantiles[level], units) for level in CHECKED))
    return Coverage(rows=len(units), units=len(np.unique(units)), targets=tuple(targets))


def _cover(target: _Target, quantile: float | None, units: np.ndarray) -> Covered:
    if quantile is None:
        return Covered()
    with np.errstate(all="ignore"):
        width = float(np.mean(target.widths(quantile)))
    return Covered(tally=tally(target.scores <= quantile, units), width=width)


def _read(form: SubmissionForm, submission: Path) -> np.ndarray:
    """Return the predictions, as numbers.

    Raises:
        NotCalibratedError: intervals or sets cannot be made from them.
    """
    if reason := _find_obstacle(form):
        raise NotCalibratedError(reason)
    try:
        predicted = read_submission(form, submission)
    except SubmissionError as error:
        raise NotCalibratedError(str(error)) from None
    return predicted.astype(float)


def _find_obstacle(form: SubmissionForm) -> str:
    """Return why predictions of a form have neither intervals nor sets; empty where they may have."""
    spec, metric = form.spec, form.metric
    if form.lines is not None:
        return "a submission has several lines for a row"
    if spec.prediction_kind == "text" or metric.several_labels:
        return "predictions are texts or lists"
    if metric.name.partition("@")[0] in _FREE_SCALE:
        return (
            f"for {metric.name} predictions may have any scale, such as ranks among the rows beside them; a metric of "
            "probabilities or errors, such as log_loss or rmse, leads to predictions that have them"
        )
    if metric.single_prediction:
        return f"{metric.name} rates one prediction by several targets"
    if spec.prediction_kind == "label" and not _is_graded(form):
        return "predictions are labels without probabilities; the metric log_loss leads to probabilities"
    if len(spec.prediction_columns) > MAX_TARGETS and len(spec.target) > 1:
        return f"there are more than {MAX_TARGETS} targets"
    return ""


def _is_graded(form: SubmissionForm) -> bool:
    """Return whether labels are numbers whose order the metric counts."""
    return bool(form.metric.ordinal and form.labels.labels and all(map(is_number, form.labels.labels)))


def _choose_scale(answers: Answers, predicted: np.ndarray) -> Scale:
    """Return the scale on which the metric counts errors alike, where all targets and predictions have a place on it.

    Squared logarithmic errors are those of log(1 + value), percentages those of the logarithm.
    """
    metric = answers.form.metric
    if answers.form.spec.prediction_kind == "probability":
        return "probability"
    if metric.logarithmic and metric.non_negative:
        return "log1p"
    truth = answers.truth.astype(float)
    return "log" if metric.logarithmic and (truth > 0).all() and (predicted > 0).all() else "value"


def _targets(answers: Answers, predicted: np.ndarray, scale: Scale) -> Iterator[_Target]:
    """Yield the predictions of each target with their scores.

    Raises:
        NotCalibratedError: they do not belong to the targets one by one.
    """
    spec, truth = answers.form.spec, answers.truth
    if scale == "probability" and truth.ndim == 1 and predicted.ndim == 2:
        yield _of_classes(spec, truth, predicted)
        return
    columns, guesses = truth.reshape(len(truth), -1), predicted.reshape(len(predicted), -1)
    if columns.shape != guesses.shape:
        msg = f"there are {guesses.shape[1]} columns of predictions for {columns.shape[1]} targets"
        raise NotCalibratedError(msg)
    names = spec.prediction_columns if len(spec.target) > 1 else spec.target
    positive = canonical(spec.pos_label) if spec.pos_label is not None else "1"
    for name, true, guess in zip(names, columns.T, guesses.T, strict=True):
        if scale == "probability":
            shares = class_shares(guess)
            yield _Target(name, class_scores(shares, (true == positive).astype(int)), shares, scale)
        else:
            yield _Target(name, residuals(true.astype(float), guess, scale), guess, scale)


def _of_classes(spec: TaskSpec, truth: np.ndarray, predicted: np.ndarray) -> _Target:
    """Return the predictions of a target whose classes have a column each.

    Raises:
        NotCalibratedError: the columns are not those of the classes.
    """
    if predicted.shape[1] != len(spec.classes):
        msg = f"there are {predicted.shape[1]} columns of predictions for {len(spec.classes)} classes"
        raise NotCalibratedError(msg)
    shares = class_shares(predicted)
    codes = pd.Index([canonical(label) for label in spec.classes]).get_indexer(pd.Index(truth))
    return _Target(spec.target[0], class_scores(shares, codes), shares, "probability")


def _count_unseen(answers: Answers) -> int:
    """Return how many classes of a target with a column for each no row has."""
    spec = answers.form.spec
    if spec.prediction_kind != "probability" or len(spec.target) > 1 or len(spec.classes) < 3:
        return 0
    return len({canonical(label) for label in spec.classes} - set(answers.truth))
