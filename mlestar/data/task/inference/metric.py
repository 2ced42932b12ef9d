"""The metric of a task: what the user set, else what the description names."""

import pandas as pd

from mlestar.data.folder import TaskFolder
from mlestar.data.overrides import Overrides
from mlestar.data.statistics import MISSING, is_numeric
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.data.task.inference.labels import classes_of
from mlestar.errors import TaskError, UserError
from mlestar.metrics import METRICS, Metric, canonical, get_metric
from mlestar.metrics.spec import PredictionKind
from mlestar.metrics.wording import find_metrics

# The limits below were chosen by judgement; none was measured.
_MAX_CLASSES = 15
_ROWS_PER_CLASS = 5
"""A target with fractions is continuous if it has more than `_MAX_CLASSES` different values and fewer rows for each."""
_MAX_INTEGER_CLASSES = 20
"""A numeric target with more different values is continuous under a user's own metric."""


def choose_metric(
    folder: TaskFolder, overrides: Overrides, text: str, columns: TaskColumns, cells: pd.DataFrame | None
) -> tuple[Metric, str]:
    """Return the metric and how it was chosen; `cells` are the target columns of train where they can be read.

    Raises:
        TaskError: it is unknown, contradicts the direction that is set, or is not named anywhere.
    """
    metric, why = _set_metric(folder, overrides, columns, cells) or _described_metric(text, columns, cells)
    if overrides.direction and overrides.direction != metric.direction:
        msg = f"direction = {overrides.direction!r} contradicts {metric.name}, which is to be {metric.direction}d"
        raise TaskError(msg)
    if overrides.pos_label:
        return metric, why
    metric, remark = _adapt(metric, columns, cells)
    return metric, why + remark


def _set_metric(
    folder: TaskFolder, overrides: Overrides, columns: TaskColumns, cells: pd.DataFrame | None
) -> tuple[Metric, str] | None:
    if not overrides.metric:
        return None
    kind = overrides.prediction_kind or _usual_kind(columns, cells)
    try:
        return get_metric(overrides.metric, folder.path, direction=overrides.direction, kind=kind), "set"
    except UserError as error:
        raise TaskError(str(error)) from error


def _described_metric(text: str, columns: TaskColumns, cells: pd.DataFrame | None) -> tuple[Metric, str]:
    for mention in find_metrics(text):
        metric = METRICS[mention.metric]
        if cells is None or _fits(metric, cells):
            section = f" under {mention.section!r}" if mention.section else ""
            return metric, f"{mention.phrase!r} in the description{section}"
    if len(columns.predictions) > 1 and len(columns.target) == 1:
        return METRICS["log_loss"], "a guess: a submission column for each class; set metric if it is another"
    what = "the description names no metric that fits the target" if text else "there is no description (task.md)"
    msg = f"{what}: name a metric, e.g. --metric rmse or --metric accuracy"
    msg += "" if text else ", and say what to predict with --goal"
    raise TaskError(msg)


def _fits(metric: Metric, cells: pd.DataFrame) -> bool:
    """Return whether a metric that a description names suits the values of this target."""
    values = [value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING]
    numeric = is_numeric(values)
    if metric.kind == "value":
        return numeric
    if not numeric or len(values) <= max(_MAX_CLASSES, len(cells) / _ROWS_PER_CLASS):
        return True
    return not any("." in canonical(value) for value in values)


def _adapt(metric: Metric, columns: TaskColumns, cells: pd.DataFrame | None) -> tuple[Metric, str]:
    """Return the form of the metric for this number of classes and targets."""
    if metric.multiclass and cells is not None and len(classes_of(cells.iloc[:, 0])) > 2:
        return METRICS[metric.multiclass], ", averaged over the classes because there are more than two"
    if metric.multitarget and len(columns.target) > 1:
        return METRICS[metric.multitarget], ", averaged over the target columns"
    return metric, ""


def _usual_kind(columns: TaskColumns, cells: pd.DataFrame | None) -> PredictionKind:
    """Guess what predictions a user's own metric takes, from the shape of the submission and the target."""
    if len(columns.predictions) > len(columns.target):
        return "probability"
    if cells is None:
        return "value"
    values = [value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING]
    return "value" if is_numeric(values) and len(values) > _MAX_INTEGER_CLASSES else "label"
