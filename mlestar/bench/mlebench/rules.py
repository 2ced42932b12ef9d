"""How submissions of a competition are graded: metric, columns and classes."""

from dataclasses import dataclass
from pathlib import Path

from mlestar.bench.answers import GradeSpec
from mlestar.data.task import TaskSpec
from mlestar.errors import UserError
from mlestar.metrics import Metric, get_metric
from mlestar.metrics.spec import Direction

_OTHER_NAMES = {"pixel_rmse": "rmse", "mean_rmsle": "mcrmsle"}
"""Metrics of a `grade.json` that the table of metrics knows by another name."""


@dataclass(frozen=True)
class Rules:
    """What a submission of a competition must hold, and its metric."""

    metric: Metric
    direction: Direction
    id_column: str
    target: tuple[str, ...]
    """Columns of the answers."""
    prediction_columns: tuple[str, ...]
    """Columns of a submission; one for each class for probabilities of several classes."""
    classes: tuple[str, ...] = ()
    """Of `prediction_columns`, where there is one for each class."""
    pos_label: str | None = None


def read_rules(path: Path) -> Rules:
    """Return the rules in a `grade.json`: metric, direction, id_column, target, classes, prediction_columns, pos_label.

    Raises:
        UserError: it cannot be read, lacks a field, or its metric is unknown.
    """
    spec = GradeSpec.read(path.parent)
    metric = _metric(path, spec.metric)
    if spec.direction not in (None, metric.direction):
        msg = f"{path}: direction is {spec.direction!r}, but {metric.name} is to {metric.direction}"
        raise UserError(msg)
    if spec.id_column is None or not spec.target:
        msg = f"{path}: it must name id_column and target"
        raise UserError(msg)
    classes = spec.classes if spec.classes and metric.kind == "probability" else ()
    return Rules(
        metric=metric,
        direction=metric.direction,
        id_column=spec.id_column,
        target=spec.target,
        prediction_columns=spec.prediction_columns or classes or spec.target,
        classes=classes,
        pos_label=spec.pos_label,
    )


def rules_of_task(spec: TaskSpec, metric: str = "") -> Rules:
    """Return the rules that follow from a task folder.

    Args:
        spec: what was inferred from the folder.
        metric: of the competition, where it is known.

    Raises:
        UserError: rows have no id, or the metric is unknown.
    """
    if spec.id is None:
        msg = f"{spec.name}: its rows have no id, so that its submissions cannot be graded by their answers"
        raise UserError(msg)
    known = get_metric(metric or spec.metric)
    by_class = known.kind == "probability" and len(spec.prediction_columns) > 1 and len(spec.target) == 1
    return Rules(
        metric=known,
        direction=known.direction,
        id_column=spec.id,
        target=spec.target,
        prediction_columns=spec.prediction_columns,
        classes=spec.classes if by_class else (),
        pos_label=spec.pos_label,
    )


def metric_name(name: str) -> str:
    """Return the name of a metric in the table of metrics; the name itself where it is not in it."""
    try:
        return get_metric(_OTHER_NAMES.get(name, name)).name
    except UserError:
        return name


def _metric(path: Path, name: str | None) -> Metric:
    if name is None:
        msg = f"{path}: it must name a metric"
        raise UserError(msg)
    try:
        return get_metric(_OTHER_NAMES.get(name, name))
    except UserError as error:
        msg = f"{path}: {error}"
        raise UserError(msg) from error
