"""The best constant for the metric: the prediction that scores best without any feature."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.baselines.reasons import NoBaselineError
from mlestar.baselines.rendering import render
from mlestar.data.tables.table import table_suffix
from mlestar.data.task import Task
from mlestar.evaluation import Holdout
from mlestar.evaluation.grader import read_truth
from mlestar.evaluation.holdout.holdout import labelled_rows
from mlestar.evaluation.submission import SubmissionForm
from mlestar.metrics import Metric, canonical, is_built_in
from mlestar.metrics.spec import TaskSpec, sign

_MAX_ROWS = 50_000
"""Most training labels that a constant is scored on; of more labels, every n-th. Chosen by judgement; not measured."""
_MAX_LABELS = 50
"""How many of the most common labels are tried. Chosen by judgement; not measured."""
_QUANTILES = tuple(round(step / 20, 2) for step in range(1, 20))
"""Quantiles that are tried for metrics of values. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Constant:
    """One prediction for every row."""

    how: str
    """Which one, in a few words."""
    cells: tuple[str | float, ...]
    """One for each column of predictions."""


def find_constant(task: Task, metric: Metric, holdout: Holdout) -> Constant:
    """Return the constant with the best score on the training labels of a holdout.

    Raises:
        NoBaselineError: the submission has several lines for a row, or there is no label.
    """
    if task.layout.submission_lines(holdout.withheld) is not None:
        msg = "a submission has several lines for a row"
        raise NoBaselineError(msg)
    return best_constant(task, metric, holdout.train[labelled_rows(task)[holdout.train]])


def find_final_constant(task: Task, metric: Metric) -> Constant:
    """Return the constant with the best score on all labels that a task gives.

    Raises:
        NoBaselineError: there is no label.
    """
    return best_constant(task, metric, np.flatnonzero(labelled_rows(task)))


def best_constant(task: Task, metric: Metric, rows: np.ndarray) -> Constant:
    """Return the constant with the best score on some labelled rows, given by their row numbers in train.

    Raises:
        NoBaselineError: there are no rows.
    """
    if not len(rows):
        msg = "no training row has a label"
        raise NoBaselineError(msg)
    rows = rows[:: -(-len(rows) // _MAX_ROWS)]
    truth = read_truth(task.spec, task.train.rows.iloc[rows])
    constants = list(_candidates(task, metric, truth.reshape(len(rows), -1)))
    return max(constants, key=_ScoreOnTrain(task, metric, rows, truth)) if len(constants) > 1 else constants[0]


def write_constant(form: SubmissionForm, constant: Constant) -> str:
    """Return a submission in which every row has the constant."""
    spec = form.spec
    cells = [_write_number(spec, cell) if isinstance(cell, float) else cell for cell in constant.cells]
    columns: dict[str, object] = {} if form.ids is None else {form.ids.name: form.ids.cells.to_numpy()}
    columns |= {name: [cell] * form.rows for name, cell in zip(spec.prediction_columns, cells, strict=True)}
    text: str = pd.DataFrame(columns).to_csv(index=False, sep=spec.submission_delimiter, lineterminator="\n")
    return text


def write_constant_script(spec: TaskSpec, constant: Constant) -> str:
    """Return a script that predicts a constant for every row of the sample submission, or of test without one.

    Raises:
        NoBaselineError: it cannot read the file that has the rows.
    """
    rows = spec.sample_submission or spec.test
    suffix = table_suffix(Path(rows))
    if suffix not in (".csv", ".tsv", ".parquet"):
        msg = f"no script writes a constant for the rows of {rows}"
        raise NoBaselineError(msg)
    cells = [_write_number(spec, cell) if isinstance(cell, float) else cell for cell in constant.cells]
    return render(
        "constant.py.jinja",
        how=constant.how,
        rows=rows,
        parquet=suffix == ".parquet",
        compressed=rows.lower().endswith(".gz"),
        id=None if spec.sample_submission else spec.id,
        keeps=bool(spec.sample_submission),
        predictions=dict(zip(spec.prediction_columns, cells, strict=True)),
        delimiter=spec.submission_delimiter,
    )


def _write_number(spec: TaskSpec, number: float) -> str:
    return repr(float(number)).replace(".", spec.submission_decimal)


@dataclass(frozen=True)
class _ScoreOnTrain:
    """The score of a constant on the training labels, signed so that more is better; minus infinity without one."""

    task: Task
    metric: Metric
    rows: np.ndarray
    truth: np.ndarray

    def __call__(self, constant: Constant) -> float:
        spec = self.task.spec
        if not is_built_in(self.metric.name):
            # Code of other people runs only in the process that grades, so the first constant is kept.
            return 0.0
        predicted = np.array([constant.cells] * len(self.rows), dtype=float if _is_number(constant) else object)
        classes = tuple(canonical(label) for label in spec.classes)
        positive = None if spec.pos_label is None else canonical(spec.pos_label)
        frame = self.task.train.rows.iloc[self.rows]
        try:
            extra = self.metric.extra(frame, frame, spec.target[0])
            with np.errstate(all="ignore"):
                score = self.metric.score(self.truth, predicted, classes=classes, pos_label=positive, extra=extra)
        except (ValueError, KeyError):
            return -np.inf
        return sign(spec.direction) * score


def _is_number(constant: Constant) -> bool:
    return all(isinstance(cell, float) for cell in constant.cells)


def _candidates(task: Task, metric: Metric, truth: np.ndarray) -> Iterator[Constant]:
    """Yield constants; the first is kept where several are equally good.

    Args:
        task: the task.
        metric: of the task.
        truth: of the training rows, a column for each target.
    """
    spec = task.spec
    if spec.prediction_kind == "value":
        yield from _values(metric, truth.astype(float), len(spec.prediction_columns))
    elif spec.prediction_kind == "probability":
        yield Constant("share of each class in train", _shares(spec, truth))
    elif metric.several_labels and metric.formula.labels:
        yield _common_list(truth[:, 0], metric.formula.labels)
    else:
        yield from _labels(truth)


def _values(metric: Metric, truth: np.ndarray, columns: int) -> Iterator[Constant]:
    if truth.shape[1] != columns:
        # All targets are scored together against one prediction, which is made from the first.
        truth = truth[:, :columns]
    statistics = {"mean of train": truth.mean(axis=0), "median of train": np.median(truth, axis=0)}
    if (truth >= 0).all():
        statistics["mean of logarithms of train"] = np.expm1(np.log1p(truth).mean(axis=0))
    statistics |= {f"quantile {share} of train": np.quantile(truth, share, axis=0) for share in _QUANTILES}
    for how, values in statistics.items():
        cells = np.round(values) if metric.integer else values
        yield Constant(how, tuple(float(cell) for cell in cells))


def _shares(spec: TaskSpec, truth: np.ndarray) -> tuple[float, ...]:
    """Return the share of the positive class, of each class, or of each target that is true."""
    positive = None if spec.pos_label is None else canonical(spec.pos_label)
    if truth.shape[1] > 1:
        marks = {positive} if positive is not None else {"1", "True"}
        return tuple(float(np.isin(column, list(marks)).mean()) for column in truth.T)
    labels, classes = truth[:, 0], [canonical(label) for label in spec.classes]
    if len(spec.prediction_columns) == 1:
        return (float((labels == (positive or (classes or sorted(set(labels)))[-1])).mean()),)
    return tuple(float((labels == label).mean()) for label in classes)


def _labels(truth: np.ndarray) -> Iterator[Constant]:
    """Yield the labels, the most common first; of several targets the most common of each."""
    counts = [Counter(column).most_common(_MAX_LABELS) for column in truth.T]
    if len(counts) > 1:
        yield Constant("most common label of each target", tuple(str(column[0][0]) for column in counts))
        return
    for place, (label, _) in enumerate(counts[0]):
        yield Constant("label that scores best on train" if place else "most common label of train", (str(label),))


def _common_list(cells: np.ndarray, most: int) -> Constant:
    """Return the labels that most rows have, as a list in one cell."""
    counts = Counter(label for cell in cells for label in str(cell).split())
    return Constant("most common labels of train", (" ".join(label for label, _ in counts.most_common(most)),))
