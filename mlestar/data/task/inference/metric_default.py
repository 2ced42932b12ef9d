"""The metric of a task whose description names none."""

import pandas as pd

from mlestar.data.statistics import is_numeric
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.data.task.inference.labels import classes_of
from mlestar.errors import TaskError
from mlestar.metrics import Metric, canonical, get_metric
from mlestar.metrics.lists import holds_several_labels

# The limits below were chosen by judgement; none was measured.
MAX_INTEGER_CLASSES = 10
"""Different whole numbers up to which they are classes, not amounts."""
ROWS_PER_CLASS = 5
"""Rows for each class, on average, below which values are no classes."""
_WHY = "a default: the description names none; set metric if it is another"


def default_metric(columns: TaskColumns, cells: pd.DataFrame | None, sample: pd.DataFrame | None) -> tuple[Metric, str]:
    """Return the usual metric of the problem.

    Args:
        columns: the task's columns.
        cells: the target columns of train, None where they cannot be read.
        sample: the sample submission.

    Raises:
        TaskError: the problem is not one that has a usual metric.
    """
    name = _usual_name(columns, cells, sample)
    if not name:
        msg = "the description names no metric, and the target has no usual one: name it, e.g. --metric rmse"
        raise TaskError(f"{msg} or --metric accuracy")
    return get_metric(name), _WHY


def _usual_name(columns: TaskColumns, cells: pd.DataFrame | None, sample: pd.DataFrame | None) -> str:
    if len(columns.predictions) > 1 and len(columns.target) == 1:
        return "log_loss"
    if cells is None:
        return ""
    kinds = {_kind(cells[column]) for column in cells}
    kind = kinds.pop() if len(kinds) == 1 else ""
    if len(columns.target) > 1:
        return {"numbers": "rmse", "two": "mean_auroc"}.get(kind, "")
    labels = sample is not None and _holds_labels(sample, columns, kind)
    names = {"numbers": "rmse", "several": "row_f1", "two": "auroc", "classes": "log_loss", "texts": ""}
    return "accuracy" if labels and kind in ("two", "classes") else names[kind]


def _kind(cells: pd.Series) -> str:
    """Return what a target holds: numbers, two classes, more classes, several labels in a cell, or other texts."""
    classes = classes_of(cells)
    if len(classes) == 2:
        return "two"
    if is_numeric(classes):
        whole = not any("." in canonical(label) for label in classes)
        return "classes" if whole and len(classes) <= MAX_INTEGER_CLASSES else "numbers"
    if holds_several_labels(classes):
        return "several"
    return "classes" if len(classes) * ROWS_PER_CLASS <= len(cells) else "texts"


def _holds_labels(sample: pd.DataFrame, columns: TaskColumns, kind: str) -> bool:
    """Return whether a submission has one column, of labels and not of probabilities."""
    if len(columns.predictions) != 1 or columns.predictions[0] not in sample:
        return False
    return kind == "classes" or not is_numeric(sample[columns.predictions[0]].unique())
