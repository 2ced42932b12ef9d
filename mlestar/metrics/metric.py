"""Metrics by name: which way is better, what a prediction is, and the scoring function."""

import importlib.util
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from mlestar.errors import UserError
from mlestar.metrics import scoring
from mlestar.metrics.scoring import Setting, by_class, by_column, label_score
from mlestar.metrics.spec import Direction, PredictionKind
from mlestar.metrics.wording import ALIASES

Score = Callable[[Any, Any, Setting], float]
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Metric:
    """A metric that knows its direction and compares scores."""

    name: str
    direction: Direction
    kind: PredictionKind
    """What a prediction must be: a label, probabilities, a value or a text."""
    function: Score

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
        score = self.function(truth, predicted, Setting(tuple(classes), pos_label))
        if not math.isfinite(score):
            msg = f"{self.name} is undefined on these rows: it came to {score}"
            raise ValueError(msg)
        return float(score)

    def better(self, a: float, b: float) -> bool:
        """Tell whether score `a` is strictly better than `b`."""
        return a > b if self.direction == "maximize" else a < b

    @classmethod
    def from_callable(
        cls, function: Callable[..., float], direction: Direction, kind: PredictionKind, *, name: str | None = None
    ) -> "Metric":
        """Make a metric of a function of (truth, predictions)."""
        title = name or str(getattr(function, "__name__", "custom"))

        def score(truth: np.ndarray, predicted: np.ndarray, setting: Setting) -> float:
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


def canonical(text: str) -> str:
    """Return one spelling for equal labels: 3.0 is 3, TRUE is True, blanks around do not count."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if _NUMBER.fullmatch(text) and math.isfinite(value := float(text)) and value == int(value):
        return str(int(value))
    return text


def canonical_labels(texts: Sequence[str] | np.ndarray | pd.Series) -> np.ndarray:
    """Return `canonical` of each text as an object array."""
    codes, unique = pd.factorize(np.asarray(texts, dtype=object))
    return np.array([canonical(str(text)) for text in unique], dtype=object)[codes]


_ROWS: tuple[tuple[str, Direction, PredictionKind, Score], ...] = (
    ("accuracy", "maximize", "label", label_score(sk.accuracy_score)),
    ("balanced_accuracy", "maximize", "label", scoring.balanced_accuracy),
    ("f1", "maximize", "label", scoring.f1),
    ("macro_f1", "maximize", "label", label_score(sk.f1_score, average="macro", zero_division=0.0)),
    ("micro_f1", "maximize", "label", label_score(sk.f1_score, average="micro", zero_division=0.0)),
    ("weighted_f1", "maximize", "label", label_score(sk.f1_score, average="weighted", zero_division=0.0)),
    ("mcc", "maximize", "label", label_score(sk.matthews_corrcoef)),
    ("qwk", "maximize", "label", scoring.qwk),
    ("auroc", "maximize", "probability", by_class(sk.roc_auc_score)),
    ("mean_auroc", "maximize", "probability", by_class(sk.roc_auc_score)),
    ("average_precision", "maximize", "probability", by_class(sk.average_precision_score)),
    ("log_loss", "minimize", "probability", scoring.log_loss),
    ("brier", "minimize", "probability", scoring.brier),
    ("rmse", "minimize", "value", by_column(sk.root_mean_squared_error)),
    ("mcrmse", "minimize", "value", by_column(sk.root_mean_squared_error)),
    ("mse", "minimize", "value", by_column(sk.mean_squared_error)),
    ("mae", "minimize", "value", by_column(sk.mean_absolute_error)),
    ("medae", "minimize", "value", by_column(sk.median_absolute_error)),
    ("mape", "minimize", "value", by_column(sk.mean_absolute_percentage_error)),
    ("smape", "minimize", "value", by_column(scoring.smape)),
    ("rmsle", "minimize", "value", by_column(scoring.rmsle)),
    ("r2", "maximize", "value", by_column(scoring.r2)),
    ("spearman", "maximize", "value", by_column(scoring.spearman)),
    ("pearson", "maximize", "value", by_column(scoring.pearson)),
    ("exact_match", "maximize", "text", scoring.exact_match),
    ("word_error_rate", "minimize", "text", scoring.word_error_rate),
)
METRICS: dict[str, Metric] = {row[0]: Metric(*row) for row in _ROWS}
"""Percentage errors are fractions."""


def squash(name: str) -> str:
    """Return a metric's name without case, spaces and marks, so that spellings compare equal."""
    folded = unicodedata.normalize("NFKC", name).lower()
    return re.sub(r"[^a-z0-9]+", "", folded).removeprefix("neg")


_BY_ALIAS = {squash(word): METRICS[name] for name, words in ALIASES.items() for word in (name, *words)}


def get_metric(
    name: str,
    folder: Path | None = None,
    *,
    direction: Direction | None = None,
    kind: PredictionKind | None = None,
) -> Metric:
    """Return a metric by its name, an alias, or `file.py:function` with the file inside `folder`.

    A function of one's own needs `direction`; its `kind` is `value` unless it is given.

    Raises:
        UserError: no such metric (the nearest names are listed), or the function cannot be loaded.
    """
    if ".py:" in name:
        return _load(name, folder, direction, kind or "value")
    if metric := _BY_ALIAS.get(squash(name)):
        return metric
    near = get_close_matches(squash(name), _BY_ALIAS, n=6, cutoff=0.4)
    names = list(dict.fromkeys(_BY_ALIAS[word].name for word in near)) or sorted(METRICS)
    msg = f"unknown metric {name!r}; the nearest are {', '.join(names)} (or use file.py:function)"
    raise UserError(msg)


def _load(name: str, folder: Path | None, direction: Direction | None, kind: PredictionKind) -> Metric:
    file, _, attribute = name.rpartition(":")
    if direction is None:
        msg = f"metric {name!r} needs a direction: say direction = 'maximize' or 'minimize'"
        raise UserError(msg)
    function = getattr(_module(file, folder or Path()), attribute, None)
    if not callable(function):
        msg = f"metric {name!r}: {file} has no function {attribute!r}"
        raise UserError(msg)
    return Metric.from_callable(function, direction, kind, name=name)


def _module(file: str, folder: Path) -> ModuleType:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        msg = f"metric file {file!r} is not a file inside {folder}"
        raise UserError(msg)
    spec = importlib.util.spec_from_file_location(f"mlestar_metric_{path.stem}", path)
    if spec is None or spec.loader is None:
        msg = f"metric file {file!r} is not a Python file"
        raise UserError(msg)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        msg = f"metric file {file!r} cannot be imported: {type(error).__name__}: {error}"
        raise UserError(msg) from error
    return module
