"""The stored facts of a task, in coarse classes, and the similarity of two tasks."""

from typing import get_args

from mlestar.data.statistics import ColumnStatistics
from mlestar.lessons.records import ColumnClass, RowClass, TaskFacts
from mlestar.state import Brief

ROWS: tuple[RowClass, ...] = get_args(RowClass)
COLUMNS: tuple[ColumnClass, ...] = get_args(ColumnClass)
_MOST_ROWS = (1_000, 10_000, 100_000, 1_000_000)
_MOST_COLUMNS = (10, 30, 100, 1_000)
OWN_METRIC = "own metric"
"""Stored in place of the name of a metric that is defined in a file."""

WEIGHTS = {
    "kind": 0.3,
    "problem": 0.15,
    "prediction": 0.1,
    "metric": 0.15,
    "rows": 0.1,
    "columns": 0.05,
    "missing": 0.05,
    "text": 0.05,
    "categories": 0.025,
    "times": 0.025,
}
"""Weight of each fact in the similarity of two tasks; the weights sum to 1. Chosen by judgement; not measured."""
RELATED_METRIC = 0.5
"""Share of the weight of the metric where only its direction and the kind of prediction agree."""


def facts_of(brief: Brief) -> TaskFacts:
    """Return the facts of a task from its brief, which contains no more than prompts do."""
    spec = brief.spec
    train = next((file for file in brief.statistics if file.file == spec.train), None)
    left_out = {spec.id, *spec.target}
    columns = [column for column in train.columns if column.name not in left_out] if train else []
    return TaskFacts(
        kind=spec.modality,
        problem=spec.problem,
        metric=OWN_METRIC if ":" in spec.metric or "/" in spec.metric else spec.metric,
        direction=spec.direction,
        prediction=spec.prediction_kind,
        rows=ROWS[sum(spec.train_rows >= most for most in _MOST_ROWS)],
        columns=COLUMNS[sum(len(columns) > most for most in _MOST_COLUMNS)],
        missing=_tenths(sum(column.missing for column in columns), len(columns)),
        text=_share(columns, "text"),
        categories=_share(columns, "category", "bool"),
        times=_share(columns, "date"),
    )


def _share(columns: list[ColumnStatistics], *kinds: str) -> float:
    return _tenths(sum(column.kind in kinds for column in columns), len(columns))


def _tenths(amount: float, count: int) -> float:
    return round(min(1.0, amount / count), 1) if count else 0.0


def similarity(left: TaskFacts, right: TaskFacts) -> float:
    """Return the similarity of two tasks, from 0 to 1: the mean agreement in each fact, weighted by `WEIGHTS`.

    Kind of data, problem, kind of prediction and metric agree or do not, except that metrics of the same direction for
    the same kind of prediction are related. Classes of rows and columns agree less with each class between them, shares
    with their difference. Equal facts give 1.
    """
    agreement = {
        "kind": float(left.kind == right.kind),
        "problem": float(left.problem == right.problem),
        "prediction": float(left.prediction == right.prediction),
        "metric": _compare_metrics(left, right),
        "rows": _near(ROWS.index(left.rows), ROWS.index(right.rows), len(ROWS)),
        "columns": _near(COLUMNS.index(left.columns), COLUMNS.index(right.columns), len(COLUMNS)),
        "missing": 1 - abs(left.missing - right.missing),
        "text": 1 - abs(left.text - right.text),
        "categories": 1 - abs(left.categories - right.categories),
        "times": 1 - abs(left.times - right.times),
    }
    return round(sum(WEIGHTS[name] * share for name, share in agreement.items()), 3)


def _compare_metrics(left: TaskFacts, right: TaskFacts) -> float:
    if left.metric == right.metric:
        return 1.0
    related = (left.direction, left.prediction) == (right.direction, right.prediction)
    return RELATED_METRIC if related else 0.0


def _near(left: int, right: int, count: int) -> float:
    return 1 - abs(left - right) / (count - 1)
