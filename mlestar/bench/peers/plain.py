"""A task as plain tables for other libraries, and their predictions as a submission.

Labels become class numbers, so that spellings, dialects and names of columns cannot trip a library.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.bench.peers.columns import UnhandledDataError, find_features
from mlestar.data.tables.quoting import choose_quoting
from mlestar.data.targets import target_values
from mlestar.data.task import Task, TaskSpec
from mlestar.evaluation.grader import real_form
from mlestar.evaluation.submission_file import write_submission
from mlestar.metrics import canonical, canonical_labels


@dataclass(frozen=True)
class PlainTarget:
    """A column to predict, as values or as class numbers."""

    column: str
    values: np.ndarray
    classes: tuple[str, ...] = ()
    """Labels by class number; none where values are predicted. Of two, the last is the positive one."""
    logarithmic: bool = False
    """The values are `log1p` of the task's."""

    def decode(self, predicted: pd.Series) -> pd.Series:
        """Return predicted values or labels in the form of the task."""
        if self.classes:
            return predicted.astype(int).map(dict(enumerate(self.classes)))
        return pd.Series(np.expm1(predicted)) if self.logarithmic else predicted


def check_handled(task: Task) -> None:
    """Check that predictions are values, labels or probabilities, one line for each row.

    Raises:
        UnhandledDataError: they are something else; the message says what in a line.
    """
    if not task.labelled or task.train.frame is None:
        msg = "the labelled rows cannot be listed"
    elif not task.spec.has_test or task.test.frame is None:
        msg = "there is no table of rows to predict"
    elif task.layout.submission_lines(None) is not None:
        msg = "a submission has several lines for each row"
    elif task.spec.prediction_kind == "text":
        msg = "texts are predicted"
    elif task.metric.single_prediction:
        msg = "all targets together are one truth"
    else:
        return
    raise UnhandledDataError(msg)


def read_targets(task: Task, rows: np.ndarray) -> list[PlainTarget]:
    """Return the targets of the labelled rows."""
    frame, spec = task.train.rows[rows], task.spec
    if spec.prediction_kind != "value":
        return [_read_classes(spec, column, frame[column]) for column in spec.target]
    values = target_values(frame[list(spec.target)], spec.number_formats)
    return [_read_values(task, column, values[column].to_numpy()) for column in spec.target]


def _read_values(task: Task, column: str, values: np.ndarray) -> PlainTarget:
    logarithmic = task.metric.logarithmic and values.min() >= 0
    return PlainTarget(column, np.log1p(values) if logarithmic else values, logarithmic=logarithmic)


def _read_classes(spec: TaskSpec, column: str, cells: pd.Series) -> PlainTarget:
    labels = canonical_labels(cells)
    classes = _ordered_classes(spec, labels)
    return PlainTarget(column, pd.Index(classes).get_indexer(pd.Index(labels)), classes)


def _ordered_classes(spec: TaskSpec, labels: np.ndarray) -> tuple[str, ...]:
    present = sorted(set(labels), key=_class_order)
    named = [canonical(label) for label in spec.classes] if len(spec.target) == 1 else []
    classes = [*(label for label in named if label in present), *(label for label in present if label not in named)]
    positive = canonical(spec.pos_label) if spec.pos_label is not None else "1"
    if len(classes) == 2 and positive in classes:
        classes.sort(key=lambda label: label == positive)
    return tuple(classes)


def _class_order(label: str) -> tuple[bool, float, str]:
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label


def write_tables(task: Task, targets: Sequence[PlainTarget], rows: np.ndarray, folder: Path, **options: Any) -> None:
    """Write `train.csv`, `test.csv` and `table.json`, which the scripts of other libraries read.

    Raises:
        UnhandledDataError: train and test have no features that a plain table can hold.
    """
    features = find_features(task, rows)
    names = [f"x{number}" for number in range(len(features))]
    train = {name: feature.train for name, feature in zip(names, features, strict=True)}
    test = {name: feature.test for name, feature in zip(names, features, strict=True)}
    outcome = {f"y{number}": pd.Series(target.values) for number, target in enumerate(targets)}
    for side, frame in (("train", pd.DataFrame({**train, **outcome})), ("test", pd.DataFrame(test))):
        frame.to_csv(folder / f"{side}.csv", index=False, quoting=choose_quoting(frame))
    metric = task.metric
    table = {
        "features": {name: feature.kind for name, feature in zip(names, features, strict=True)},
        "targets": [
            {"name": f"y{number}", "classes": len(target.classes), "ordered": metric.ordinal}
            for number, target in enumerate(targets)
        ],
        "labels": task.spec.prediction_kind == "label",
        "metric": "rmse" if any(target.logarithmic for target in targets) else metric.name,
        "absolute": metric.absolute,
        "balanced": metric.formula.decision in ("threshold", "prior"),
        **options,
    }
    (folder / "table.json").write_text(json.dumps(table, indent=1), encoding="utf-8")


def read_predictions(task: Task, targets: Sequence[PlainTarget], path: Path) -> dict[str, pd.Series]:
    """Return the predictions that a script wrote, by the columns of a submission.

    Raises:
        UnhandledDataError: they are not in the form of the submission.
    """
    frame, spec = pd.read_csv(path), task.spec
    columns = list(spec.prediction_columns)
    if len(columns) == len(targets):
        if set(columns) == set(spec.target):
            columns = [target.column for target in targets]
        is_probability = spec.prediction_kind == "probability"
        read = _positive if is_probability else _decoded
        return {column: read(frame, targets, number) for number, column in enumerate(columns)}
    classes = [canonical(label) for label in spec.classes]
    if len(targets) > 1 or len(classes) != len(columns) or spec.prediction_kind != "probability":
        msg = "the columns of a submission are neither classes nor targets"
        raise UnhandledDataError(msg)
    known = {label: number for number, label in enumerate(targets[0].classes)}
    none = pd.Series(np.zeros(len(frame)))
    return {
        column: frame[f"y0_{known[label]}"] if label in known else none
        for column, label in zip(columns, classes, strict=True)
    }


def _positive(frame: pd.DataFrame, targets: Sequence[PlainTarget], number: int) -> pd.Series:
    """Return the probabilities of the positive class, the last of two."""
    return frame[f"y{number}_{len(targets[number].classes) - 1}"]


def _decoded(frame: pd.DataFrame, targets: Sequence[PlainTarget], number: int) -> pd.Series:
    return targets[number].decode(frame[f"y{number}"])


def save_submission(task: Task, predictions: dict[str, pd.Series], path: Path) -> None:
    """Write a submission for the rows to predict, in the form of the sample submission.

    Raises:
        SubmissionError: the predictions are not valid.
    """
    form = real_form(task)
    ids = {} if form.ids is None else {form.ids.name: form.ids.cells.reset_index(drop=True)}
    cells = {name: _as_text(task, values) for name, values in predictions.items()}
    draft = path.with_suffix(".draft.csv")
    table = pd.DataFrame({**ids, **cells})
    table.to_csv(draft, index=False, sep=task.spec.submission_delimiter, quoting=choose_quoting(table))
    path.write_text(write_submission(task, draft), encoding="utf-8")
    draft.unlink()


def _as_text(task: Task, values: pd.Series) -> pd.Series:
    """Return predictions as the metric allows them, as text with a decimal point."""
    if task.spec.prediction_kind in ("label", "text"):
        return values.astype(str)
    if task.spec.prediction_kind == "probability":
        values = values.clip(0, 1)
    values = values.clip(lower=0) if task.metric.non_negative else values
    values = values.round() if task.metric.integer else values
    return values.map(repr)
