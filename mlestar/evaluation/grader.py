"""The grader: grades what a script submitted for held-out rows, and compares two submissions."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.tables import is_table, table_suffix
from mlestar.data.tables.delimited import DELIMITERS
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.holdout import Holdout, held_ids, labelled_rows
from mlestar.evaluation.holdout.plan import Comparison, Grade
from mlestar.evaluation.holdout.stage import staged_sample
from mlestar.evaluation.predictions import Rejected, constant_warning
from mlestar.evaluation.submission import Form, read_predictions
from mlestar.metrics import Metric, canonical, canonical_labels, get_metric
from mlestar.metrics.spec import sign

_FEW_UNITS = 5
_FEW_SCORES = 10


def grade_submission(task: Task, holdout: Holdout, submission: Path) -> Grade:
    """Grade a submission for the held-out rows; one that is not valid gets no score but a message."""
    truth = _truth(task, holdout.held)
    try:
        predicted = read_predictions(_held_form(task, holdout), submission)
        score = _score(task, truth, predicted)
    except Rejected as rejection:
        return Grade(score=None, standard_error=None, problem=str(rejection))
    scores = np.array([_try(task, truth[rows], predicted[rows]) for rows in _resamples(holdout.units)])
    warnings = [*constant_warning(predicted), *_unit_warning(holdout.units)]
    error = _spread(scores)
    if error is None:
        warnings.append("the score is undefined on most resamples, so its standard error is not known")
    return Grade(score=score, standard_error=error, warnings=tuple(warnings))


def compare_submissions(task: Task, holdout: Holdout, submission: Path, baseline: Path) -> Comparison:
    """Compare two submissions on the same resamples of the held-out rows.

    Raises:
        ValueError: one of them is not valid; grade it for the reason.
    """
    form, truth = _held_form(task, holdout), _truth(task, holdout.held)
    try:
        mine, theirs = read_predictions(form, submission), read_predictions(form, baseline)
        whole = _score(task, truth, mine) - _score(task, truth, theirs)
    except Rejected as rejection:
        raise ValueError(str(rejection)) from None
    factor = sign(_metric(task).direction)
    resamples = _resamples(holdout.units)
    found = np.array(
        [_try(task, truth[rows], mine[rows]) - _try(task, truth[rows], theirs[rows]) for rows in resamples]
    )
    found = factor * found[np.isfinite(found)]
    return Comparison(
        difference=factor * whole,
        standard_error=_spread(found) or 0.0,
        probability_better=float((found > 0).mean() + (found == 0).mean() / 2) if len(found) else 0.5,
    )


def check_submission(task: Task, submission: Path) -> str:
    """Return what is wrong with a submission for the real test rows; empty when it is valid.

    Raises:
        HoldoutError: no table says which rows are wanted.
    """
    spec = task.spec
    sample = None if spec.sample_submission is None else task.table(spec.sample_submission).frame
    rows = task.table(spec.test).frame if is_table(task.input / spec.test) else sample
    if rows is None:
        msg = f"neither {spec.test} nor a sample submission is a table: nothing says what to submit"
        raise HoldoutError(msg)
    ids = rows[spec.id] if spec.id in rows.columns else None
    try:
        read_predictions(_form(task, len(rows), ids, sample), submission)
    except Rejected as rejection:
        return str(rejection)
    return ""


def _held_form(task: Task, holdout: Holdout) -> Form:
    return _form(task, len(holdout.held), held_ids(task, holdout), staged_sample(task, holdout))


def _form(task: Task, rows: int, ids: pd.Series | None, sample: pd.DataFrame | None) -> Form:
    spec = task.spec
    # Where an id names several rows, or the sample has none, only the order tells rows apart.
    if ids is not None and (ids.duplicated().any() or (sample is not None and spec.id not in sample.columns)):
        ids = None
    return Form(spec, _metric(task), rows, ids, sample, _delimiter(task), _labels(task), _longest(task))


def _labels(task: Task) -> frozenset[str]:
    spec = task.spec
    known = {canonical(label) for label in spec.classes}
    if task.labelled and spec.prediction_kind == "label":
        frame = task.table(spec.train).frame[labelled_rows(task)]
        known.update(label for column in spec.target for label in canonical_labels(frame[column].unique()))
    return frozenset(known)


def _longest(task: Task) -> int:
    spec = task.spec
    if not task.labelled or spec.prediction_kind != "text":
        return 10_000
    frame = task.table(spec.train).frame
    return 1_000 + 10 * max(int(frame[column].str.len().max()) for column in spec.target)


def _delimiter(task: Task) -> str:
    """Return the delimiter of the sample submission."""
    name = task.spec.sample_submission
    if name is None or table_suffix(Path(name)) not in (".csv", ".tsv"):
        return ","
    with (gzip.open if name.lower().endswith(".gz") else open)(task.input / name, "rt", encoding="utf-8-sig") as file:
        line = file.readline()
    return max(DELIMITERS, key=lambda mark: len(next(csv.reader(io.StringIO(line), delimiter=mark), [])))


def _truth(task: Task, held: np.ndarray) -> np.ndarray:
    """Return the targets of held-out rows as the metric wants them, columns in the order of the predictions."""
    spec = task.spec
    frame = task.table(spec.train).frame.iloc[held]
    same = set(spec.target) == set(spec.prediction_columns)
    names = spec.prediction_columns if same else spec.target
    if spec.prediction_kind == "value":
        columns = [frame[name].astype(float).to_numpy() for name in names]
    elif spec.prediction_kind == "text":
        columns = [frame[name].to_numpy(dtype=object) for name in names]
    else:
        columns = [canonical_labels(frame[name]) for name in names]
    return np.column_stack(columns) if len(columns) > 1 else columns[0]


def _score(task: Task, truth: np.ndarray, predicted: np.ndarray) -> float:
    classes = tuple(canonical(label) for label in task.spec.classes)
    positive = None if task.spec.pos_label is None else canonical(task.spec.pos_label)
    try:
        return _metric(task).score(truth, predicted, classes=classes, pos_label=positive)
    except ValueError as error:
        msg = f"{task.spec.metric} cannot be computed: {error}"
        raise Rejected(msg) from error


def _metric(task: Task) -> Metric:
    """Return the metric of the spec, which may have been completed since the task was read."""
    spec = task.spec
    if task.metric.name == spec.metric:
        return task.metric
    return get_metric(spec.metric, task.folder, direction=spec.direction, kind=spec.prediction_kind)


def _try(task: Task, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Score a resample; NaN where the metric is undefined on it."""
    try:
        return _score(task, truth, predicted)
    except Rejected:
        return float("nan")


def _spread(scores: np.ndarray) -> float | None:
    """Return the standard deviation of resampled scores; None when hardly any is defined."""
    defined = scores[np.isfinite(scores)]
    return float(defined.std(ddof=1)) if len(defined) >= _FEW_SCORES else None


def _unit_warning(units: np.ndarray) -> tuple[str, ...]:
    count = len(np.unique(units))
    if count >= _FEW_UNITS:
        return ()
    return (f"independent units held out: {count}; the standard error covers their rows, not other units",)


def _resamples(units: np.ndarray) -> Iterator[np.ndarray]:
    """Yield bootstrap rows, whole units at a time; the same for every submission, fewer for many rows."""
    rng = np.random.default_rng(0)
    if len(np.unique(units)) < _FEW_UNITS:
        units = np.arange(len(units))
    order = np.argsort(units, kind="stable")
    starts = np.unique(units[order], return_index=True)[1]
    sizes = np.diff(np.append(starts, len(units)))
    for _ in range(int(np.clip(1_000_000 // max(len(units), 1), 40, 200))):
        picked = rng.integers(0, len(sizes), len(sizes))
        taken = sizes[picked]
        shifts = np.repeat(starts[picked] - np.append(0, np.cumsum(taken)[:-1]), taken)
        yield order[shifts + np.arange(len(shifts))]
