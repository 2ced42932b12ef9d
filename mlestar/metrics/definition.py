"""What a metric is: every fact of it, and how it scores."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mlestar.metrics.scoring import ClassLabels
from mlestar.metrics.spec import Direction, PredictionKind

ScoreFunction = Callable[[Any, Any, ClassLabels], float]
Decision = Literal["likeliest", "threshold", "prior", "cuts"]
"""How class probabilities or values become labels: the likeliest class; a threshold on the positive class; classes
weighted by how rare they are; cut points between grades."""


@dataclass(frozen=True)
class Formula:
    """A metric as Python, for the scripts of the offline engineer.

    Expressions may use `np`, `pd` and `metrics` (scikit-learn's). The true values are `names` where labels or texts are
    predicted, `truth` (0 or 1) where probabilities are, `y` where values are; the predictions are `decided`, and
    probabilities within (0, 1) are `kept` too.
    """

    expression: str = ""
    """The score; of one target column unless values are predicted. Empty: the usual metric of the kind is computed."""
    lines: tuple[str, ...] = ()
    """Statements that the expression needs."""
    class_columns: str = ""
    """The score of probabilities with a column per class, `truth` being one-hot. Empty: the mean of `expression` over
    the classes."""
    target_columns: str = ""
    """The score of labels with a column per target, `y` and `decided` being 0 or 1. Empty: the share of right cells."""
    decision: Decision = "likeliest"
    """For labels: the rule that suits the metric."""


@dataclass(frozen=True)
class Metric:
    """A metric with its facts."""

    name: str
    direction: Direction
    kind: PredictionKind
    """What a prediction must be: a label, probabilities, a value or a text."""
    function: ScoreFunction
    aliases: tuple[str, ...] = ()
    """Other names, in words; case and punctuation do not count."""
    abbreviations: tuple[str, ...] = ()
    """Names that settings may use, but that mean other things in a description."""
    common_words: tuple[str, ...] = ()
    """Those of the names that are ordinary words too, so that a description that holds one may mean something else."""
    sentences: tuple[str, ...] = ()
    """Regular expressions of sentences that describe the metric without its name."""
    non_negative: bool = False
    """Predictions below zero are rejected."""
    integer: bool = False
    """Predictions that are not whole numbers are rejected."""
    ordinal: bool = False
    """The labels are grades: their order counts."""
    absolute: bool = False
    """Errors count by their size, not by their square."""
    logarithmic: bool = False
    """Errors count in proportion to the value, so that models are better fitted on its logarithm."""
    multiclass: str = ""
    """Name of the metric to use instead where there are more than two classes."""
    multitarget: str = ""
    """Name of the metric to use instead where there are several target columns."""
    formula: Formula = Formula()

    def score(
        self,
        y_true: np.ndarray | Sequence[object],
        y_pred: np.ndarray | Sequence[object],
        *,
        classes: tuple[str, ...] = (),
        pos_label: str | None = None,
    ) -> float:
        """Score predictions.

        Args:
            y_true: `canonical` text for labels and probabilities, floats for values, text for texts;
                (n,) or (n, targets).
            y_pred: like `y_true`, but floats for probabilities: (n,) of the positive class, or (n, classes),
                or (n, targets).
            classes: the labels of the probability columns, canonical.
            pos_label: the positive label of a binary metric, canonical.

        Raises:
            ValueError: the metric is undefined on these rows, or the predictions are not of its kind.
        """
        truth = _array(y_true, number=self.kind == "value")
        predicted = _array(y_pred, number=self.kind in ("value", "probability"))
        if len(truth) != len(predicted) or not len(truth):
            msg = f"{len(predicted)} predictions for {len(truth)} rows"
            raise ValueError(msg)
        score = self.function(truth, predicted, ClassLabels(tuple(classes), pos_label))
        if not math.isfinite(score):
            msg = f"{self.name} is undefined on these rows: got {score}"
            raise ValueError(msg)
        return float(score)

    @classmethod
    def from_callable(
        cls, function: Callable[..., float], direction: Direction, kind: PredictionKind, *, name: str | None = None
    ) -> "Metric":
        """Make a metric of a function of (truth, predictions)."""
        title = name or str(getattr(function, "__name__", "custom"))

        def score(truth: np.ndarray, predicted: np.ndarray, labels: ClassLabels) -> float:
            try:
                return float(function(truth, predicted))
            except Exception as error:
                msg = f"{title} failed: {type(error).__name__}: {error}"
                raise ValueError(msg) from error

        return cls(title, direction, kind, score)


def _array(values: np.ndarray | Sequence[object], *, number: bool) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64 if number else object)
    if number and not np.isfinite(array).all():
        msg = "not a finite number among the values"
        raise ValueError(msg)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
