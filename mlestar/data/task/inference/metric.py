"""Which metric is meant: a person's word first, then the description's."""

import pandas as pd

from mlestar.data.statistics import is_numeric
from mlestar.data.task.inference.columns import Columns
from mlestar.data.task.inference.folder import TaskFolder
from mlestar.data.task.inference.labels import classes_of
from mlestar.data.task.inference.overrides import Overrides
from mlestar.errors import TaskError, UserError
from mlestar.metrics import METRICS, Metric, canonical, get_metric
from mlestar.metrics.spec import PredictionKind
from mlestar.metrics.wording import find_metrics

_FEW = 15
"""A target with fractions and more different values than this (and than a fifth of its rows) is continuous."""


def choose_metric(
    layout: TaskFolder, overrides: Overrides, text: str, columns: Columns, cells: pd.DataFrame | None
) -> tuple[Metric, str]:
    """Return the metric and how it was told; `cells` are the target columns of train where they can be read.

    Raises:
        TaskError: it is unknown, contradicts the direction that was set, or is told nowhere.
    """
    metric, why = _set_metric(layout, overrides, columns, cells) or _told_metric(text, columns, cells)
    if overrides.direction and overrides.direction != metric.direction:
        msg = f"direction = {overrides.direction!r} contradicts {metric.name}, which one would {metric.direction}"
        raise TaskError(msg)
    metric, remark = (metric, "") if overrides.pos_label else _amend(metric, columns, cells)
    return metric, why + remark


def _set_metric(
    layout: TaskFolder, overrides: Overrides, columns: Columns, cells: pd.DataFrame | None
) -> tuple[Metric, str] | None:
    if not overrides.metric:
        return None
    kind = overrides.prediction_kind or _usual_kind(columns, cells)
    try:
        return get_metric(overrides.metric, layout.folder, direction=overrides.direction, kind=kind), "set"
    except UserError as error:
        raise TaskError(str(error)) from error


def _told_metric(text: str, columns: Columns, cells: pd.DataFrame | None) -> tuple[Metric, str]:
    for mention in find_metrics(text):
        metric = METRICS[mention.metric]
        if cells is None or _fits(metric, cells):
            section = f" under {mention.section!r}" if mention.section else ""
            return metric, f"{mention.phrase!r} in the description{section}"
    if len(columns.predictions) > 1 and len(columns.target) == 1:
        return METRICS["log_loss"], "a guess: a submission column for each class; set metric if it is another"
    msg = "the description names no metric that fits the target: give one, e.g. --metric rmse or --metric accuracy"
    raise TaskError(msg)


def _fits(metric: Metric, cells: pd.DataFrame) -> bool:
    """Tell whether a metric that a description names can be meant for this target."""
    values = [value for value in cells.iloc[:, 0].unique() if value.strip()]
    numeric = is_numeric(values)
    if metric.kind == "value":
        return numeric
    fractions = numeric and any("." in canonical(value) for value in values)
    return not (fractions and len(values) > max(_FEW, len(cells) / 5))


def _amend(metric: Metric, columns: Columns, cells: pd.DataFrame | None) -> tuple[Metric, str]:
    """Take the form of the metric that fits the number of classes or targets."""
    if metric.multiclass and cells is not None and len(classes_of(cells.iloc[:, 0])) > 2:
        return METRICS[metric.multiclass], ", averaged over the classes because there are more than two"
    if metric.multitarget and len(columns.target) > 1:
        return METRICS[metric.multitarget], ", averaged over the target columns"
    return metric, ""


def _usual_kind(columns: Columns, cells: pd.DataFrame | None) -> PredictionKind:
    """Guess what a metric of one's own wants from the shape of the submission and the target."""
    if len(columns.predictions) > len(columns.target):
        return "probability"
    if cells is None:
        return "value"
    values = cells.iloc[:, 0].unique()
    return "value" if is_numeric(values) and len(values) > 20 else "label"
