"""The columns that a metric needs besides the target: weights, queries, time and series."""

import re

import pandas as pd

from mlestar.data.layouts import Layout
from mlestar.data.statistics import is_numeric
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.errors import TaskError, UserError
from mlestar.metrics import METRICS, Metric, get_metric

_WEIGHT = re.compile(r"(?:sample|row|case|obs|observation|instance|eval)?_?(?:weights?|wts?)|w", re.IGNORECASE)
_QUERY = re.compile(r"(?:\w+_)?(?:q|query|session|search|srch|impression)(?:_?id)?|qid", re.IGNORECASE)
_TIME = re.compile(r"^(?!.*(?:risk|hazard|score)).*(?:time|duration|survival|days|months|years|tte)", re.IGNORECASE)
_MAX_GRADES = 12
"""Different whole numbers up to which a target is a grade of relevance. Chosen by judgement; not measured."""


def complete(name: str, text: str, columns: TaskColumns, cells: pd.DataFrame | None, layout: Layout) -> tuple[str, str]:
    """Return the name of a described metric with its parameter, and a remark on what was inferred.

    Raises:
        TaskError: the parameter cannot be inferred; the message says how to set it.
    """
    bare, _, argument = name.partition("@")
    metric = METRICS[bare]
    if bare in ("map", "ndcg") and cells is not None and _are_grades(cells):
        query = _query_column(text, layout)
        return (f"query_{name},{query}", f", of each {query!r}") if query and argument else _ask(f"query_{bare}")
    if bare == "c_index":
        return _concordance(text, columns)
    if metric.parameter is None:
        return name, ""
    if argument:
        return _check(name), ""
    column = _weight_column(text, columns, layout) if bare.startswith("weighted_") else ""
    return (f"{bare}@{column}", f", weighted by {column!r}") if column else _ask(bare)


def _concordance(text: str, columns: TaskColumns) -> tuple[str, str]:
    """Return the concordance index of risks or of times, by the name of the prediction."""
    of_times = bool(columns.predictions) and _TIME.search(columns.predictions[0]) is not None
    remark = ", of predicted times, by the name of the prediction" if of_times else ", of predicted risks"
    if re.search(r"\bstratif", text, re.IGNORECASE):
        remark += "; over all rows, although the description speaks of strata: metric.py:function can treat them"
    return "c_index_of_times" if of_times else "c_index", remark


def _check(name: str) -> str:
    try:
        return get_metric(name).name
    except UserError as error:
        raise TaskError(str(error)) from error


def _ask(bare: str) -> tuple[str, str]:
    parameter = METRICS[bare].parameter
    what = "" if parameter is None else f"{parameter.what}: set metric, e.g. metric = {parameter.example!r}"
    msg = f"the description asks for {bare}, but does not say clearly {what} (see docs/metrics.md)"
    raise TaskError(msg)


def _are_grades(cells: pd.DataFrame) -> bool:
    values = [value for value in cells.iloc[:, 0].unique() if value.strip()]
    return len(values) <= _MAX_GRADES and is_numeric(values) and "0" in {value.strip() for value in values}


def _weight_column(text: str, columns: TaskColumns, layout: Layout) -> str:
    """Return the column of the weights: the only one that the description names so, else that is called so."""
    features = [column for column in layout.train.columns if column not in (*columns.target, columns.id)]
    described = [column for column in features if _is_described_as_weight(column, text)]
    if described:
        return described[0] if len(described) == 1 else ""
    # A feature may be a weight in kilograms, so that only a column that test lacks is taken by its name.
    named = [column for column in features if _WEIGHT.fullmatch(column) and column not in layout.test.columns]
    return named[0] if len(named) == 1 else ""


def _is_described_as_weight(column: str, text: str) -> bool:
    name = rf"`{re.escape(column)}`"
    after = rf"\bweight\w*[^.;\n`]{{0,60}}{name}|\bgewichtet[^.;\n`]{{0,60}}{name}|\bgewicht[^.;\n`]{{0,60}}{name}"
    before = rf"{name}[^.;\n`]{{0,40}}\b(?:weights?|Gewichte?)\b"
    return re.search(f"{after}|{before}", text, re.IGNORECASE) is not None


def _query_column(text: str, layout: Layout) -> str:
    shared = [column for column in layout.train.columns if column in layout.test.columns]
    described = [
        column
        for column in shared
        if re.search(rf"\b(?:per|each|every|within a?)\s+(?:\w+\s+)?`{re.escape(column)}`", text, re.IGNORECASE)
    ]
    named = [column for column in shared if _QUERY.fullmatch(column)]
    columns = described or named
    return columns[0] if len(columns) == 1 else ""


def check_columns(metric: Metric, columns: TaskColumns, train: pd.DataFrame | None) -> None:
    """Refuse a metric whose columns train does not have, or do not hold what it needs."""
    if train is None:
        return
    for column in metric.extra_columns:
        if column not in train.columns:
            msg = f"metric {metric.name!r}: train has no column {column!r}"
            raise TaskError(msg)
        if column in columns.target:
            msg = f"metric {metric.name!r}: {column!r} is the target"
            raise TaskError(msg)
    if metric.name.startswith("weighted_") and metric.extra_columns:
        _check_weights(metric.extra_columns[0], train)
    if metric.single_prediction and len(columns.target) != 2:
        msg = f"{metric.name} needs two target columns, the time and the event: set target = ['time', 'event']"
        raise TaskError(msg)
    if metric.single_prediction:
        _check_events(metric, columns, train)
    if metric.several_labels and len(columns.target) > 1:
        msg = f"{metric.name} needs all labels of a row in one column, but the targets are {', '.join(columns.target)}"
        raise TaskError(msg)


def _check_weights(column: str, train: pd.DataFrame) -> None:
    weights = pd.to_numeric(train[column].str.strip(), errors="coerce")
    wrong = ~(weights >= 0)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        cell = train[column].iloc[row]
        msg = f"the weight {column!r} of row {row + 1} of train is {cell!r}, not a number of at least 0"
        raise TaskError(msg)


def _check_events(metric: Metric, columns: TaskColumns, train: pd.DataFrame) -> None:
    events = set(train[columns.target[1]].str.strip()) - {""}
    if not events <= {"0", "1", "0.0", "1.0"}:
        what = f"the second target, {columns.target[1]!r}, must hold 1 for an event and 0 for a censored time"
        msg = f"{metric.name}: {what}"
        raise TaskError(msg)
