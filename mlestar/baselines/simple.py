"""The simple model: a script for one task that chooses between a linear model and gradient boosting."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.baselines.columns import Columns, find_columns, find_labels
from mlestar.baselines.reasons import NoBaselineError
from mlestar.baselines.rendering import render
from mlestar.data.statistics import MISSING, FileStatistics
from mlestar.data.tables.table import table_suffix
from mlestar.metrics import Metric
from mlestar.metrics.spec import TaskSpec

_MOST_CELLS, _MIN_ROWS, _MAX_ROWS = 4_000_000, 2_000, 30_000
"""Most cells of train that the model is fitted on; its rows are at least and at most the two other numbers. Chosen by
judgement; not measured."""
_MANY_CLASSES = 20
"""Classes above which gradient boosting, which fits a tree for each, is left out. Chosen by judgement; not measured."""
_MODELS = {"linear": "linear model", "loose_linear": "linear model", "boosting": "gradient boosting"}
_CHOICE = re.compile(r"^Preferred by cross-validation: (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class SimpleModel:
    """A script, and what it reads."""

    script: str
    columns: str
    """How many columns of which kind, in a few words."""


def write_simple_model(
    spec: TaskSpec, statistics: Sequence[FileStatistics], metric: Metric, *, seed: int
) -> SimpleModel:
    """Return the script for a task.

    Args:
        spec: of the task.
        statistics: of its files; those of train and test say what kind each column is and how it is written.
        metric: of the task.
        seed: of folds and models.

    Raises:
        NoBaselineError: there is no simple model for data or predictions of this kind.
    """
    if spec.modality in ("image", "audio"):
        msg = f"none for data of this kind ({spec.modality})"
        raise NoBaselineError(msg)
    columns = find_columns(spec, statistics)
    values = _values(spec, metric, columns, seed) | _file_values(spec, statistics)
    text = render("simple.py.jinja", **values).strip("\n") + "\n"
    return SimpleModel(re.sub(r"\n{4,}", "\n\n\n", text), str(columns))


def read_choice(output: str) -> str:
    """Return which models the script preferred, from what it printed; empty where it printed nothing about it."""
    names = dict.fromkeys(_MODELS[name] for name in _CHOICE.findall(output) if name in _MODELS)
    return " or ".join(names)


def _values(spec: TaskSpec, metric: Metric, columns: Columns, seed: int) -> dict[str, Any]:
    rule = _find_rule(spec, metric)
    classify = rule != "value"
    classes = list(spec.classes) if classify and len(spec.target) == 1 else []
    boosting = bool(columns.numbers or columns.categories or columns.dates) and len(classes) <= _MANY_CLASSES
    return {
        "spec": spec,
        "columns": columns,
        "rule": rule,
        "classify": classify,
        "classes": classes,
        "classes_have_blanks": any(" " in name for name in classes),
        "boosting": boosting,
        "loose": classify and bool(columns.texts),
        "loss": "quantile" if metric.formula.quantile else "absolute_error" if metric.absolute else "squared_error",
        "quantile": metric.formula.quantile or 0.5,
        "logarithmic": metric.logarithmic,
        "non_negative": metric.non_negative,
        "integer": metric.integer,
        "several": metric.formula.labels,
        "predicted": _predicted(spec),
        "most_rows": min(_MAX_ROWS, max(_MIN_ROWS, _MOST_CELLS // columns.count)),
        "missing": list(MISSING),
        "seed": seed,
    }


def _find_rule(spec: TaskSpec, metric: Metric) -> str:
    """Return how probabilities or values become predictions.

    Raises:
        NoBaselineError: predictions are of a kind that the simple model does not make.
    """
    if spec.prediction_kind == "value":
        if metric.single_prediction and len(spec.target) > 1:
            msg = f"none for predictions that {metric.name} scores against several columns together"
            raise NoBaselineError(msg)
        return "value"
    if spec.prediction_kind == "probability":
        several = len(spec.prediction_columns) > 1 and len(spec.target) == 1
        return "class shares" if several else "probability"
    if spec.problem == "sequence" or (metric.several_labels and (spec.problem == "multilabel" or not spec.classes)):
        msg = "none for texts or lists as predictions"
        raise NoBaselineError(msg)
    if metric.several_labels:
        return "ranked"
    rule = metric.formula.decision
    if (rule == "cuts" and not _are_numbers(spec.classes)) or len(spec.target) > 1:
        return "likeliest"
    return "prior" if rule == "threshold" and len(spec.classes) != 2 else rule


def _are_numbers(classes: Sequence[str]) -> bool:
    return bool(classes) and all(re.fullmatch(r"[+-]?\d+(?:\.\d*)?", name.strip()) for name in classes)


def _predicted(spec: TaskSpec) -> dict[str, str]:
    """Return the target of each column of predictions, where there is a column for each target."""
    if len(spec.target) != len(spec.prediction_columns) or set(spec.target) == set(spec.prediction_columns):
        return {name: name for name in spec.target}
    return dict(zip(spec.prediction_columns, spec.target, strict=True))


def _file_values(spec: TaskSpec, statistics: Sequence[FileStatistics]) -> dict[str, Any]:
    labels, key = find_labels(spec, statistics)
    names = [spec.train, spec.test, *([labels] if labels else [])]
    suffixes = {table_suffix(Path(name)) for name in names}
    return {
        "labels_file": labels,
        "labels_key": key,
        "has_csv": bool(suffixes & {".csv", ".tsv"}),
        "has_json": bool(suffixes & {".json", ".jsonl", ".ndjson"}),
        "has_parquet": ".parquet" in suffixes,
        "compressed": any(name.lower().endswith(".gz") for name in names),
    }
