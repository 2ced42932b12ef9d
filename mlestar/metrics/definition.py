"""What a metric is: every fact of it, and how it scores."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mlestar.metrics.scoring import ClassLabels
from mlestar.metrics.spec import Direction, PredictionKind

ScoreFunction = Callable[..., float]
"""A function of the truth, the predictions and `ClassLabels`; a parameter of the metric is bound by its keyword."""
ExtraFunction = Callable[[pd.DataFrame, pd.DataFrame, str], tuple[np.ndarray, ...]]
"""A function of the known rows of train, the rows that are scored and the target's name."""
Decision = Literal["likeliest", "threshold", "prior", "cuts"]
"""How class probabilities or values become labels: the likeliest class; a threshold on the positive class; classes
weighted by how rare they are; cut points between grades."""


@dataclass(frozen=True)
class Formula:
    """A metric as Python, for the scripts of the offline engineer.

    Expressions may use `np`, `pd` and `metrics` (scikit-learn's). The true values are `names` where labels or texts are
    predicted, `truth` (0 or 1) where probabilities are, `y` where values are; the predictions are `decided`, and
    probabilities within (0, 1) are `kept` too. Where a cell holds several labels, `rows` are pairs of the set of the
    true ones and the list of the predicted ones; where all targets are one truth, `y` has its columns.
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
    quantile: float = 0.0
    """For values: the quantile of the target that is to be predicted; 0 where it is its mean or median."""
    labels: int = 0
    """For ranked labels in one cell: how many."""


@dataclass(frozen=True)
class Parameter:
    """What a metric needs besides its name: a name such as `pinball@0.9` has it after the `@`."""

    what: str
    """What it is, with its article: "a quantile"."""
    example: str
    """A whole name with a parameter."""
    bind: Callable[["Metric", str], "Metric"]
    """Return the metric with this parameter; it raises ValueError for what is none."""
    patterns: tuple[str, ...] = ()
    """Regular expressions that find it near the metric's name in a description, as their only group."""
    several: str = ""
    """A regular expression of several parameters at once, of which none is the metric's."""


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
    several_labels: bool = False
    """A cell holds several labels: the true ones, or the predicted ones."""
    form: str = ""
    """What a cell of predictions must hold, as a sentence for the agents; empty where `kind` says it all."""
    parameter: Parameter | None = None
    """What the name lacks: the metric cannot score before `get_metric` binds it."""
    argument: str = ""
    """The parameter that is bound."""
    extra_columns: tuple[str, ...] = ()
    """Columns of train besides the target that scoring needs: weights, queries."""
    extra_function: ExtraFunction | None = None
    """Computes what scoring needs of the rows; without it that is `extra_columns` as they are."""
    multiclass: str = ""
    """Name of the metric to use instead where there are more than two classes."""
    multitarget: str = ""
    """Name of the metric to use instead where there are several target columns."""
    probabilities: str = ""
    """Name of the metric to use instead where the submission has a column for each class."""
    single_prediction: str = ""
    """All target columns together are one truth; the usual name of the only column of predictions."""
    multilabel: str = ""
    """Name of the metric to use instead where a cell of the target holds several labels."""
    formula: Formula = Formula()
    folder: Path | None = None
    """Of the file that the metric is in."""
    load: Callable[[], None] | None = None
    """Executes the file that the metric is in; without it that happens when it scores first."""

    def score(
        self,
        y_true: np.ndarray | Sequence[object],
        y_pred: np.ndarray | Sequence[object],
        *,
        classes: tuple[str, ...] = (),
        pos_label: str | None = None,
        extra: tuple[np.ndarray, ...] = (),
    ) -> float:
        """Score predictions.

        Args:
            y_true: `canonical` text for labels and probabilities, floats for values, text for texts;
                (n,) or (n, targets).
            y_pred: like `y_true`, but floats for probabilities: (n,) of the positive class, or (n, classes),
                or (n, targets).
            classes: the labels of the probability columns, canonical.
            pos_label: the positive label of a binary metric, canonical.
            extra: what `extra` returned for these rows.

        Raises:
            ValueError: the metric is undefined on these rows, or the predictions are not of its kind.
        """
        if self.parameter is not None:
            msg = f"{self.name} needs {self.parameter.what}, as in {self.parameter.example}"
            raise ValueError(msg)
        truth = _array(y_true, number=self.kind == "value")
        predicted = _array(y_pred, number=self.kind in ("value", "probability"))
        if len(truth) != len(predicted) or not len(truth):
            msg = f"{len(predicted)} predictions for {len(truth)} rows"
            raise ValueError(msg)
        score = self.function(truth, predicted, ClassLabels(tuple(classes), pos_label, extra))
        if math.isinf(score):
            msg = f"{self.name} is infinite on these rows"
            raise ValueError(msg)
        if math.isnan(score):
            msg = f"{self.name} is undefined on these rows: got {score}"
            raise ValueError(msg)
        return float(score)

    def extra(self, known: pd.DataFrame, rows: pd.DataFrame, target: str) -> tuple[np.ndarray, ...]:
        """Return what scoring needs of the rows besides truth and predictions, an array of their length for each.

        Args:
            known: the labelled rows of train that are not scored, cells as text.
            rows: the rows of train that are scored.
            target: name of the target column.
        """
        if self.extra_function is not None:
            return self.extra_function(known, rows, target)
        return tuple(rows[column].to_numpy(dtype=object) for column in self.extra_columns)

    @classmethod
    def from_callable(
        cls,
        function: Callable[..., float],
        direction: Direction,
        kind: PredictionKind,
        *,
        name: str | None = None,
        takes_rows: bool | None = None,
    ) -> "Metric":
        """Make a metric of a function of (truth, predictions).

        A function with a third parameter called `rows` also gets the scored rows of train, as a table of texts. Pass
        `takes_rows` where the function's own parameters do not show it.
        """
        title = name or str(getattr(function, "__name__", "custom"))
        takes_rows = _takes_rows(function) if takes_rows is None else takes_rows

        def score(truth: np.ndarray, predicted: np.ndarray, labels: ClassLabels) -> float:
            try:
                if takes_rows:
                    return float(function(truth, predicted, rows=pd.DataFrame.from_records(labels.extra[0])))
                return float(function(truth, predicted))
            except (Exception, SystemExit) as error:
                msg = f"{title} failed: {type(error).__name__}: {error}"
                raise ValueError(msg) from error

        return cls(title, direction, kind, score, extra_function=_all_columns if takes_rows else None)


def _takes_rows(function: Callable[..., float]) -> bool:
    try:
        return "rows" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False


def _all_columns(known: pd.DataFrame, rows: pd.DataFrame, target: str) -> tuple[np.ndarray, ...]:
    """Return one array of records, which resampling can index."""
    return (np.asarray(rows.to_records(index=False)),)


def _array(values: np.ndarray | Sequence[object], *, number: bool) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64 if number else object)
    if number and not np.isfinite(array).all():
        msg = "not a finite number among the values"
        raise ValueError(msg)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
