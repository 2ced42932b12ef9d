"""The same prediction for every row: the constant that scores best on the labelled rows of train."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.peers.plain import save_submission
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.data.layouts import SubmissionLines
from mlestar.data.targets import target_values
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.holdout.holdout import labelled_rows
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics import canonical, canonical_labels
from mlestar.metrics.spec import sign

CONSTANT = "constant"
_QUANTILES = np.linspace(0.05, 0.95, 19)
_MOST_LABELS = 30
"""Most common labels that are tried. Chosen by judgement; not measured."""


@dataclass
class ConstantPeer:
    """Predicts the best constant, without any feature."""

    name: str = CONSTANT

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        start = time.monotonic()
        submission = folder / "submission.csv"
        try:
            predict_constant(Task.load(task.folder.absolute(), workspace=folder / "converted"), submission)
        except (UserError, SubmissionError) as error:
            return Outcome("unavailable", time.monotonic() - start, first_line(str(error)))
        return Outcome("graded", time.monotonic() - start, submission=submission)


def predict_constant(task: Task, submission: Path) -> None:
    """Write the submission of the best constant.

    Raises:
        UserError: the labels or the rows to predict cannot be listed.
        SubmissionError: no constant is a valid submission.
    """
    lines = task.layout.submission_lines(None)
    if lines is not None:
        _write_lines(task, lines, submission)
        return
    if not task.spec.has_test:
        msg = "there are no rows to predict"
        raise UserError(msg)
    rows = len(task.test.rows)
    constant = best_constant(task)
    predictions = {name: pd.Series([value] * rows) for name, value in zip(_columns(task), constant, strict=True)}
    save_submission(task, predictions, submission)


def best_constant(task: Task) -> tuple[float | str, ...]:
    """Return for each column of predictions the constant that scores best on the labelled rows of train."""
    frame = task.train.rows[labelled_rows(task)]
    truth, candidates = _truth(task, frame), _candidates(task, frame)
    scores = [_score(task, frame, truth, constant) for constant in candidates]
    return candidates[int(np.argmax(scores))]


def _columns(task: Task) -> Sequence[str]:
    """Return the columns of predictions, in the order of the targets where both have the same names."""
    target, columns = task.spec.target, task.spec.prediction_columns
    return target if set(target) == set(columns) else columns


def _truth(task: Task, frame: pd.DataFrame) -> np.ndarray:
    spec = task.spec
    cells = frame[list(spec.target)]
    if spec.prediction_kind == "value":
        truth = target_values(cells, spec.number_formats).to_numpy()
    elif spec.prediction_kind == "text":
        truth = cells.to_numpy(dtype=object)
    else:
        truth = np.column_stack([canonical_labels(cells[name]) for name in cells])
    return truth if truth.shape[1] > 1 else truth[:, 0]


def _candidates(task: Task, frame: pd.DataFrame) -> list[tuple[float | str, ...]]:
    spec = task.spec
    if spec.prediction_kind == "value":
        return list(_values(task, target_values(frame[list(spec.target)], spec.number_formats).to_numpy()))
    cells = [frame[name] if spec.prediction_kind == "text" else frame[name].map(canonical) for name in spec.target]
    if spec.prediction_kind == "probability":
        return [_shares(task, cells)]
    ranked = [[label for label, _ in Counter(column).most_common(_MOST_LABELS)] for column in cells]
    count = min(map(len, ranked))
    return [tuple(labels[place] for labels in ranked) for place in range(count)]


def _values(task: Task, truth: np.ndarray) -> Iterator[tuple[float | str, ...]]:
    if task.metric.single_prediction:
        yield (0.0,)
        return
    yield tuple(truth.mean(axis=0))
    if truth.min() >= 0:
        yield tuple(np.expm1(np.log1p(truth).mean(axis=0)))
    for quantiles in np.quantile(truth, _QUANTILES, axis=0):
        yield tuple(np.round(quantiles) if task.metric.integer else quantiles)


def _shares(task: Task, cells: Sequence[pd.Series]) -> tuple[float | str, ...]:
    """Return how frequent each class is, or the positive class of each target."""
    spec = task.spec
    if len(cells) > 1 or len(spec.prediction_columns) == 1:
        positive = canonical(spec.pos_label) if spec.pos_label is not None else "1"
        return tuple(float((column == positive).mean()) for column in cells)
    return tuple(float((cells[0] == canonical(label)).mean()) for label in spec.classes)


def _score(task: Task, frame: pd.DataFrame, truth: np.ndarray, constant: tuple[float | str, ...]) -> float:
    """Return the score of a constant, higher is better; the lowest where it has none."""
    spec, metric = task.spec, task.metric
    predicted = np.array([constant if len(constant) > 1 else constant[0]] * len(frame))
    try:
        extra = metric.extra(frame, frame, spec.target[0])
        positive = None if spec.pos_label is None else canonical(spec.pos_label)
        classes = tuple(canonical(label) for label in spec.classes)
        with np.errstate(all="ignore"):
            score = metric.score(truth, predicted, classes=classes, pos_label=positive, extra=extra)
    except (ValueError, KeyError):
        return -np.inf
    return sign(metric.direction) * score


_SAMPLED = 200
"""Rows of which the lines are averaged. Chosen by judgement; not measured."""


def _write_lines(task: Task, lines: SubmissionLines, submission: Path) -> None:
    """Write the mean over all lines of some labelled rows, for every line."""
    rows = np.flatnonzero(labelled_rows(task))[:_SAMPLED]
    known = task.layout.submission_lines(rows)
    means = [] if known is None else [float(known.truth(row).mean()) for row in range(len(rows))]
    if not means:
        msg = "there are no labelled rows"
        raise UserError(msg)
    value = float(np.mean(means))
    with submission.open("w", encoding="utf-8") as file:
        file.write(f"{lines.id},{lines.value}\n")
        for row in range(len(lines.counts)):
            file.writelines(f"{name},{value!r}\n" for name in lines.ids(row))
