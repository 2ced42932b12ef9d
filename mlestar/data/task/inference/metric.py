"""The metric of a task: what the user set, else what the description names, else a default for the problem."""

import re

import pandas as pd

from mlestar.data.folder import TaskFolder
from mlestar.data.layouts import Layout
from mlestar.data.overrides import Overrides
from mlestar.data.statistics import MISSING, is_numeric
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.data.task.inference.labels import align_classes, classes_of
from mlestar.data.task.inference.metric_columns import check_columns, complete
from mlestar.data.task.inference.metric_default import default_metric
from mlestar.data.task.inference.texts import is_changed_text
from mlestar.errors import TaskError, UserError
from mlestar.metrics import Metric, canonical, get_metric
from mlestar.metrics.lists import holds_several_labels
from mlestar.metrics.metric_file import stated_kind
from mlestar.metrics.spec import PredictionKind
from mlestar.metrics.wording import describes_score, find_metrics

# The limits below were chosen by judgement; none was measured.
_MAX_CLASSES = 15
_ROWS_PER_CLASS = 5
"""A target with fractions is continuous if it has more than `_MAX_CLASSES` different values and fewer rows for each."""
_MAX_INTEGER_CLASSES = 20
"""A numeric target with more different values is continuous under a user's own metric."""
_OVERLAPS = ("dice", "jaccard", "macro_jaccard")
_MASKS = re.compile(r"\brun[\s-]*length\b|\bRLE\b|\bsegmentation\b|\bmasks?\b|\bpixels?\b", re.IGNORECASE)
"""Where a description speaks of these, an overlap is one of areas, which cells of labels do not hold."""
_SEVERAL = re.compile(
    r"\btags\b|\bmulti[\s-]*label|\b(?:several|multiple|all|more than one) (?:\w+ )?(?:labels|classes|tags|categories)"
    r"|separated by (?:blanks?|(?:a )?(?:single )?(?:white)?spaces?)"
    r"|(?:blank|(?:white)?space)[\s-]+(?:separated|delimited)",
    re.IGNORECASE,
)
_SHOWN = 80
"""Characters of the description that a message quotes."""


def choose_metric(
    folder: TaskFolder,
    overrides: Overrides,
    text: str,
    columns: TaskColumns,
    cells: pd.DataFrame | None,
    layout: Layout,
) -> tuple[Metric, str]:
    """Return the metric and how it was chosen; `cells` are the target columns of train where they can be read.

    Raises:
        TaskError: it is unknown, lacks a parameter, contradicts the direction that is set, or cannot be chosen.
    """
    metric, why = _set_metric(folder, overrides, columns, cells) or _described_metric(text, columns, cells, layout)
    if overrides.direction and overrides.direction != metric.direction:
        msg = f"direction = {overrides.direction!r} contradicts {metric.name}, which is to be {metric.direction}d"
        raise TaskError(msg)
    if not overrides.pos_label:
        metric, remark = _adapt(metric, columns, cells, text)
        why += remark
    if metric.name == "accuracy" and not overrides.classes and _is_changed_text(cells, layout):
        metric, why = (
            get_metric("exact_match"),
            f"{why}, of texts because the target is one that another column becomes",
        )
    check_columns(metric, columns, layout.train.frame)
    return metric, why


def _set_metric(
    folder: TaskFolder, overrides: Overrides, columns: TaskColumns, cells: pd.DataFrame | None
) -> tuple[Metric, str] | None:
    if not overrides.metric:
        return None
    try:
        in_file = stated_kind(overrides.metric, folder.path) if ".py:" in overrides.metric else None
        kind = overrides.prediction_kind or in_file or _usual_kind(columns, cells)
        return get_metric(overrides.metric, folder.path, direction=overrides.direction, kind=kind), "set"
    except UserError as error:
        raise TaskError(str(error)) from error


def _described_metric(
    text: str, columns: TaskColumns, cells: pd.DataFrame | None, layout: Layout
) -> tuple[Metric, str]:
    unfit: list[str] = []
    for mention in find_metrics(text):
        if not mention.metric:
            raise TaskError(_lacking(mention.phrase))
        if mention.metric.partition("@")[0] in _OVERLAPS and _MASKS.search(text):
            raise TaskError(_lacking(f"{mention.phrase} of masks"))
        name, remark = complete(mention.metric, text, columns, cells, layout)
        metric = get_metric(name)
        if cells is None or _fits(metric, cells):
            section = f" under {mention.section!r}" if mention.section else ""
            return metric, f"{mention.phrase!r} in the description{section}{remark}"
        unfit += [mention.phrase] * (metric.kind == "value" and not _is_numbers(cells))
    if unfit and cells is not None:
        raise TaskError(_without_numbers(unfit[0], cells))
    if stated := describes_score(text):
        msg = f"the description names no metric that fits the target where it says {stated[:_SHOWN]!r}: set metric"
        raise TaskError(f"{msg}, e.g. --metric rmse, or write it as metric.py:function (see docs/metrics.md)")
    sample = None if layout.sample is None else layout.sample.frame
    return default_metric(columns, cells, sample)


def _without_numbers(phrase: str, cells: pd.DataFrame) -> str:
    """Return a message about a target that a metric of numbers cannot score, with the cells that are none."""
    values = [value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING]
    wrong = [value for value in values if not is_numeric([value])] or values
    shown = ", ".join(repr(value[:_SHOWN]) for value in wrong[:2])
    return (
        f"the description asks for {phrase!r}, but the target {cells.columns[0]!r} of train is not numbers of one form "
        f"(it holds {shown}): correct it, list codes for missing values in task.toml as missing, or set metric"
    )


def _lacking(phrase: str) -> str:
    return (
        f"the description asks for {phrase!r}, which mlestar does not have: write it as metric.py:function "
        f"(see docs/metrics.md), or set metric to another"
    )


def _is_numbers(cells: pd.DataFrame) -> bool:
    return is_numeric(value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING)


def _fits(metric: Metric, cells: pd.DataFrame) -> bool:
    """Return whether a metric that a description names suits the values of this target."""
    values = [value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING]
    numeric = is_numeric(values)
    if metric.kind == "value":
        return numeric
    if not numeric or len(values) <= max(_MAX_CLASSES, len(cells) / _ROWS_PER_CLASS):
        return True
    return not any("." in canonical(value) for value in values)


def _adapt(metric: Metric, columns: TaskColumns, cells: pd.DataFrame | None, text: str) -> tuple[Metric, str]:
    """Return the form of the metric for this number of classes and targets."""
    if cells is not None and metric.multilabel and _holds_several_labels(cells.iloc[:, 0], text):
        return _other(metric.multilabel, metric), ", of the rows because a cell holds several labels"
    if metric.multiclass and cells is not None and len(classes_of(cells.iloc[:, 0])) > 2:
        return _other(metric.multiclass, metric), ", averaged over the classes because there are more than two"
    if metric.multitarget and len(columns.target) > 1:
        return _other(metric.multitarget, metric), ", averaged over the target columns"
    if metric.probabilities and _has_class_columns(columns, cells):
        return _other(metric.probabilities, metric), ", from a probability for each class"
    return metric, ""


def _is_changed_text(cells: pd.DataFrame | None, layout: Layout) -> bool:
    rows = layout.train.frame
    if cells is None or rows is None or len(cells.columns) > 1 or len(cells) != len(rows):
        return False
    return is_changed_text(cells.iloc[:, 0], rows)


def _holds_several_labels(cells: pd.Series, text: str) -> bool:
    """Return whether a cell holds several labels; blanks separate them only where the description says so."""
    different = cells.unique()
    separated = _SEVERAL.search(text) is not None and holds_several_labels(different, separator=r"\s+")
    return separated or holds_several_labels(different)


def _other(name: str, metric: Metric) -> Metric:
    return get_metric(f"{name}@{metric.argument}" if metric.argument else name)


def _has_class_columns(columns: TaskColumns, cells: pd.DataFrame | None) -> bool:
    if cells is None or len(columns.predictions) < 2:
        return False
    return align_classes(columns.predictions, classes_of(cells.iloc[:, 0])) is not None


def _usual_kind(columns: TaskColumns, cells: pd.DataFrame | None) -> PredictionKind:
    """Guess what predictions a user's own metric takes, from the shape of the submission and the target."""
    if len(columns.predictions) > len(columns.target):
        return "probability"
    if cells is None:
        return "value"
    values = [value for value in cells.iloc[:, 0].unique() if value.strip() not in MISSING]
    return "value" if is_numeric(values) and len(values) > _MAX_INTEGER_CLASSES else "label"
