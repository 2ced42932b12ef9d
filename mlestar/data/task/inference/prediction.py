"""The form of a prediction: a label, probabilities, a value or a text; of which classes, in which columns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pandas as pd

from mlestar.data.overrides import Overrides
from mlestar.data.targets import words_as_classes
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.data.task.inference.labels import align_classes, bare_classes, classes_of, positive_class, sort_labels
from mlestar.data.task.inference.values import check_values
from mlestar.errors import TaskError
from mlestar.metrics import Metric, canonical, canonical_labels
from mlestar.metrics.lists import labels_of, split_labels
from mlestar.metrics.spec import PredictionKind, Problem


@dataclass(frozen=True)
class PredictionForm:
    """What a prediction is."""

    problem: Problem
    kind: PredictionKind
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    pos_label: str | None = None
    notes: tuple[str, ...] = ()


def find_prediction_form(
    columns: TaskColumns,
    overrides: Overrides,
    metric: Metric,
    cells: pd.DataFrame | None,
    text: str,
    named: Collection[str] = (),
    formats: Mapping[str, str] = MappingProxyType({}),
) -> PredictionForm:
    """Return the form of a prediction.

    Args:
        columns: the columns that a submission is made of.
        overrides: what the user set.
        metric: of the task.
        cells: the target columns of train where they can be read.
        text: the goal and the description.
        named: labels that the sample submission holds.
        formats: the number formats of the target columns.

    Raises:
        TaskError: the target or the submission's columns do not suit the metric.
    """
    kind = overrides.prediction_kind or metric.kind
    if kind == "text" and metric.several_labels:
        return _lists(columns, cells, ranked="likeliest first" in metric.form)
    if kind == "text":
        return PredictionForm("sequence", kind, columns.predictions or columns.target)
    if kind == "value" and metric.kind == "value":
        if cells is not None:
            check_values(columns, metric, cells, formats)
        usual = (metric.single_prediction,) if metric.single_prediction else columns.target
        return PredictionForm("regression", kind, columns.predictions or usual)
    classes, predictions = _order(columns, overrides, _classes(columns, overrides, cells, named), kind)
    positive, note = overrides.pos_label, "set"
    if positive is None and len(classes) == 2:
        positive, note = positive_class(classes, predictions, text)
    notes = [f"classes: {', '.join(classes[:10])}{' ...' * (len(classes) > 10)}"]
    notes += [
        f"{word!r} is taken for a class of {columns.target[0]}, not for a missing target"
        for word in words_as_classes(classes)
    ]
    if positive is not None:
        _check_positive(positive, classes)
        notes.append(f"positive class: {positive} ({note})")
    problem = _problem(metric, columns, classes)
    return PredictionForm(problem, kind, predictions, classes, positive, tuple(notes))


def _lists(columns: TaskColumns, cells: pd.DataFrame | None, *, ranked: bool) -> PredictionForm:
    """Return the form of predictions that hold several labels; ranked ones may be of a single true label."""
    different = [] if cells is None else [str(cell) for cell in cells.iloc[:, 0].unique()]
    classes = tuple(sort_labels(labels_of(different, one_label=ranked)))
    several = any(len(split_labels(cell)) > 1 for cell in different) and set(classes) != set(
        canonical_labels(different)
    )
    problem: Problem = "multilabel" if several or not ranked else "multiclass"
    notes = (f"labels: {', '.join(classes[:10])}{' ...' * (len(classes) > 10)}, several in a cell",)
    return PredictionForm(problem, "text", columns.predictions or columns.target, classes, notes=notes)


def _classes(
    columns: TaskColumns, overrides: Overrides, cells: pd.DataFrame | None, named: Collection[str]
) -> tuple[str, ...]:
    if overrides.classes:
        return overrides.classes
    if cells is None:
        return bare_classes(columns.predictions) if len(columns.predictions) > 1 else ()
    classes = classes_of(pd.concat([cells[column] for column in cells]), {*named, *columns.predictions})
    if len(classes) < 2:
        msg = f"the target {columns.target[0]!r} of train has fewer than two different values: nothing can be learned"
        labels = {label for column in cells for label in cells[column].str.strip().unique()}
        if words := sorted(labels - {*classes, ""}):
            names = ", ".join(map(repr, (*classes, *words)))
            msg += f"; {' and '.join(words)} is read as missing: "
            msg += f"where it is a class, write classes = [{names}] in task.toml"
        raise TaskError(msg)
    return classes


def _order(
    columns: TaskColumns, overrides: Overrides, classes: tuple[str, ...], kind: PredictionKind
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return classes and prediction columns, aligned when there is one column for each class."""
    predictions = columns.predictions
    several_classes = kind == "probability" and len(classes) > 2
    if len(columns.target) > 1 or (len(predictions) == 1 and not several_classes):
        return classes, predictions or columns.target
    if not predictions:
        return classes, classes if several_classes else columns.target
    aligned = align_classes(predictions, classes)
    if aligned is None and not (overrides.classes and len(classes) == len(predictions)):
        msg = (
            f"the submission's columns ({', '.join(predictions[:5])}) cannot be matched with the classes "
            f"({', '.join(classes[:5])}): set classes in task.toml, in the order of the columns"
        )
        raise TaskError(msg)
    return aligned or classes, predictions


def _problem(metric: Metric, columns: TaskColumns, classes: tuple[str, ...]) -> Problem:
    if len(columns.target) > 1:
        return "multilabel"
    if metric.ordinal:
        return "ordinal"
    return "binary" if len(classes) == 2 else "multiclass"


def _check_positive(positive: str, classes: tuple[str, ...]) -> None:
    if classes and canonical(positive) not in {canonical(label) for label in classes}:
        msg = f"pos_label = {positive!r} is not one of the classes {', '.join(classes[:6])}"
        raise TaskError(msg)
