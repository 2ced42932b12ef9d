"""Grading what a script submits for withheld rows, and comparing two submissions.

Uncertainty comes from a cluster bootstrap over the units of the split (rows, groups, weeks): whole units are drawn with
replacement, and the standard error is the standard deviation of the scores (the pairs cluster bootstrap of Cameron,
Gelbach and Miller, 2008, "Bootstrap-Based Improvements for Inference with Clustered Errors", with scores in place of
regression coefficients). Nothing is fitted again: it covers the choice of rows, not of the training data. Two
submissions are compared on the same resamples (paired bootstrap resampling, Koehn 2004, "Statistical Significance Tests
for Machine Translation Evaluation").
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts import SubmissionLines
from mlestar.data.tables.numbers import read_numbers
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.holdout import Holdout, example_rows, labelled_rows, withheld_ids
from mlestar.evaluation.holdout.plan import Comparison, Grade
from mlestar.evaluation.holdout.stage import staged_sample
from mlestar.evaluation.line_submission import read_lines
from mlestar.evaluation.predictions import SubmissionError, constant_warning
from mlestar.evaluation.submission import RowIds, SubmissionForm, read_predictions
from mlestar.metrics import KnownLabels, Metric, canonical, canonical_labels, get_metric
from mlestar.metrics.spec import sign

logger = logging.getLogger("mlestar.evaluation")

_MIN_UNITS = 5
"""Units below which rows are resampled instead. Chosen by judgement; not measured. Cameron, Gelbach and Miller warn of
clustered standard errors that are too small with few (5 to 30) clusters."""
_MIN_SCORES = 10
"""Defined resamples below which a standard error is not given. Chosen by judgement; not measured."""
_MIN_RESAMPLES, DEFAULT_RESAMPLES = 40, 200
"""Efron and Tibshirani (1993, "An Introduction to the Bootstrap", section 6.4): 50 resamples are often enough for a
standard error, more than 200 seldom needed. Tables of 25,000 rows and more get 40, to save time."""
_RESAMPLED_ROWS = 1_000_000
"""Rows of all resamples together, between these limits. Chosen by judgement; not measured."""
_MAX_RESAMPLED, _LINES_PER_UNIT = 250_000, 1000
"""Rows of one resample, where units have at least so many rows each. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Grader:
    """Grades submissions for the withheld rows of one holdout, and compares two of them.

    Several may be graded at once, in threads.
    """

    task: Task
    """The task, which has the labels."""
    holdout: Holdout
    resamples: int = DEFAULT_RESAMPLES
    """Resamples of the bootstrap behind standard errors, at most."""

    @cached_property
    def form(self) -> SubmissionForm:
        """What a submission must look like; read once, as it is the same for all of them."""
        task, holdout = self.task, self.holdout
        if (lines := self.lines) is not None:
            return _lines_form(task, lines)
        return _submission_form(task, len(holdout.withheld), withheld_ids(task, holdout), staged_sample(task, holdout))

    @cached_property
    def lines(self) -> SubmissionLines | None:
        """The lines of a submission where it has several for a row."""
        return self.task.layout.submission_lines(self.holdout.withheld)

    @cached_property
    def units(self) -> np.ndarray:
        """The resampling unit of each withheld row or line."""
        return self.holdout.units if self.lines is None else np.repeat(self.holdout.units, self.lines.counts)

    @cached_property
    def truth(self) -> np.ndarray:
        """The targets of the withheld rows, of each line where a submission has several for a row."""
        if (lines := self.lines) is not None:
            return np.concatenate([lines.truth(row) for row in range(len(lines.counts))])
        return _read_truth(self.task, self.holdout.withheld)

    @cached_property
    def extra(self) -> tuple[np.ndarray, ...]:
        """What the metric needs of the withheld rows besides their targets, such as weights."""
        task = self.task
        frame = task.train.rows
        known, rows = frame.iloc[self.holdout.train], frame.iloc[self.holdout.withheld]
        try:
            return _metric(task).extra(known, rows, task.spec.target[0])
        except (ValueError, KeyError) as error:
            msg = f"{task.spec.metric} cannot be computed: {error}"
            raise HoldoutError(msg) from error

    def grade(self, submission: Path) -> Grade:
        """Grade a submission that a script wrote; an invalid one gets a message instead of a score."""
        start = time.monotonic()
        grade = self._grade(submission)
        status = "graded" if grade.score is not None else "rejected"
        rows, seconds = len(self.holdout.withheld), time.monotonic() - start
        logger.debug("%s: %s, %d rows, %.2f s", self.holdout.name, status, rows, seconds)
        return grade

    def _grade(self, submission: Path) -> Grade:
        task, truth, units = self.task, self.truth, self.units
        try:
            predicted = _read(self.form, submission)
            score = _score(task, truth, predicted, self.extra)
        except SubmissionError as error:
            return Grade(score=None, standard_error=None, problem=str(error))
        resampled_rows = _resamples(units, self.resamples)
        scores = np.array([self._resampled(predicted, rows) for rows in resampled_rows])
        warnings = [*constant_warning(predicted), *_unit_warning(units)]
        standard_error = _standard_error(scores)
        if standard_error is None:
            warnings.append("the score is undefined on most resamples, so its standard error is unknown")
        return Grade(score=score, standard_error=standard_error, warnings=tuple(warnings))

    def compare(self, submission: Path, baseline: Path) -> Comparison:
        """Compare two submissions on the same resamples.

        Raises:
            ValueError: one of them is not valid; grade it for the reason.
        """
        task, truth = self.task, self.truth
        try:
            predicted = _read(self.form, submission)
            baseline_predicted = _read(self.form, baseline)
            score = _score(task, truth, predicted, self.extra)
            difference = score - _score(task, truth, baseline_predicted, self.extra)
        except SubmissionError as error:
            raise ValueError(str(error)) from None
        resampled: list[float] = []
        for rows in _resamples(self.units, self.resamples):
            resampled.append(self._resampled(predicted, rows) - self._resampled(baseline_predicted, rows))
        factor = sign(_metric(task).direction)
        differences = factor * np.array(resampled)
        differences = differences[np.isfinite(differences)]
        return Comparison(
            difference=factor * difference,
            standard_error=_standard_error(differences) or 0.0,
            probability_better=_share_above_zero(differences),
        )

    def _resampled(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Score a resample; NaN where the metric is undefined on it."""
        extra = tuple(values[rows] for values in self.extra)
        try:
            return _score(self.task, self.truth[rows], predicted[rows], extra)
        except SubmissionError:
            return float("nan")


def check_submission(task: Task, submission: Path) -> str:
    """Return what is wrong with a submission for the real test rows; empty when it is valid.

    Raises:
        HoldoutError: no table has the rows to predict.
    """
    try:
        _read(real_form(task), submission)
    except SubmissionError as error:
        return str(error)
    return ""


def real_form(task: Task) -> SubmissionForm:
    """Return what a submission for the real test rows must look like.

    Raises:
        HoldoutError: no table has the rows to predict.
    """
    spec = task.spec
    if (lines := task.layout.submission_lines(None)) is not None:
        return _lines_form(task, lines)
    sample = None if task.sample is None else task.sample.frame
    rows = _rows_to_predict(task, sample)
    if rows is None:
        msg = f"neither {spec.test} nor a sample submission is a table, so the rows to predict are unknown"
        raise HoldoutError(msg)
    ids = rows[spec.id] if spec.id in rows.columns else None
    return _submission_form(task, len(rows), ids, sample)


def _read(form: SubmissionForm, submission: Path) -> np.ndarray:
    return read_predictions(form, submission) if form.lines is None else read_lines(form, form.lines, submission)


def _lines_form(task: Task, lines: SubmissionLines) -> SubmissionForm:
    ids = RowIds(lines.id, pd.Series([], dtype=str))
    count = int(lines.counts.sum())
    return SubmissionForm(task.spec, _metric(task), count, ids, None, KnownLabels(()), _max_characters(task), lines)


def _rows_to_predict(task: Task, sample: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the rows of the real input's test file."""
    if not task.spec.has_test:
        return task.train.rows.iloc[example_rows(task)].reset_index(drop=True)
    return sample if task.test.frame is None else task.test.frame


def _submission_form(task: Task, rows: int, ids: pd.Series | None, sample: pd.DataFrame | None) -> SubmissionForm:
    spec = task.spec
    # Where an id is that of several rows, or the sample has none, only the order tells rows apart.
    if ids is not None and (ids.duplicated().any() or (sample is not None and spec.id not in sample.columns)):
        ids = None
    row_ids = None if ids is None or spec.id is None else RowIds(spec.id, ids)
    return SubmissionForm(spec, _metric(task), rows, row_ids, sample, _known_labels(task), _max_characters(task))


def _known_labels(task: Task) -> KnownLabels:
    spec = task.spec
    labels = set(spec.classes)
    if task.labelled and spec.prediction_kind == "label":
        frame = task.train.rows[labelled_rows(task)]
        for column in spec.target:
            labels.update(frame[column].unique())
    return KnownLabels(labels)


def _max_characters(task: Task) -> int:
    """Return a generous limit: ten times the longest true text. Chosen by judgement; not measured."""
    spec = task.spec
    if not task.labelled or spec.prediction_kind != "text":
        return 10_000
    frame = task.train.rows
    return 1_000 + 10 * max(int(frame[column].str.len().max()) for column in spec.target)


def _read_truth(task: Task, rows: np.ndarray) -> np.ndarray:
    """Return the targets of withheld rows in the form that the metric takes, columns in the order of predictions."""
    spec = task.spec
    frame = task.train.rows.iloc[rows]
    same_names = set(spec.target) == set(spec.prediction_columns)
    names = spec.prediction_columns if same_names else spec.target
    if spec.prediction_kind == "value":
        columns = [read_numbers(frame[name], spec.number_formats.get(name, "")) for name in names]
    elif spec.prediction_kind == "text":
        columns = [frame[name].to_numpy(dtype=object) for name in names]
    else:
        columns = [canonical_labels(frame[name]) for name in names]
    return np.column_stack(columns) if len(columns) > 1 else columns[0]


def _score(task: Task, truth: np.ndarray, predicted: np.ndarray, extra: tuple[np.ndarray, ...]) -> float:
    classes = tuple(canonical(label) for label in task.spec.classes)
    positive = None if task.spec.pos_label is None else canonical(task.spec.pos_label)
    try:
        return _metric(task).score(truth, predicted, classes=classes, pos_label=positive, extra=extra)
    except ValueError as error:
        msg = f"{task.spec.metric} cannot be computed: {error}"
        raise SubmissionError(msg) from error


def _metric(task: Task) -> Metric:
    """Return the metric of the spec, which the analyst may have completed since the task was read."""
    spec = task.spec
    if task.metric.name == spec.metric:
        return task.metric
    return get_metric(spec.metric, task.folder, direction=spec.direction, kind=spec.prediction_kind)


def _standard_error(scores: np.ndarray) -> float | None:
    """Return the standard deviation of resampled scores; None when hardly any is defined."""
    defined = scores[np.isfinite(scores)]
    return float(defined.std(ddof=1)) if len(defined) >= _MIN_SCORES else None


def _share_above_zero(differences: np.ndarray) -> float:
    """Return the share of positive differences, zeros counted half; one half of none."""
    if not len(differences):
        return 0.5
    return float((differences > 0).mean() + (differences == 0).mean() / 2)


def _unit_warning(units: np.ndarray) -> tuple[str, ...]:
    count = len(np.unique(units))
    if count >= _MIN_UNITS:
        return ()
    return (f"independent units withheld: {count}; the standard error covers their rows, not other units",)


def _resamples(units: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield the rows of bootstrap resamples, whole units at a time; the same for every submission."""
    rng = np.random.default_rng(0)
    # Of the many lines of a picture an even sample says as much.
    every = max(1, len(units) // _MAX_RESAMPLED) if len(np.unique(units)) * _LINES_PER_UNIT < len(units) else 1
    lines = np.arange(0, len(units), every)
    units = units[lines]
    if len(np.unique(units)) < _MIN_UNITS:
        units = np.arange(len(units))
    order = np.argsort(units, kind="stable")
    starts = np.unique(units[order], return_index=True)[1]
    sizes = np.diff(np.append(starts, len(units)))
    count = min(most, max(_MIN_RESAMPLES, _RESAMPLED_ROWS // max(len(units), 1)))
    for _ in range(count):
        drawn = rng.integers(0, len(sizes), len(sizes))
        drawn_sizes = sizes[drawn]
        # Positions in `order`: each drawn unit's start, then its following rows.
        shifts = np.repeat(starts[drawn] - np.append(0, np.cumsum(drawn_sizes)[:-1]), drawn_sizes)
        yield lines[order[shifts + np.arange(len(shifts))]]
