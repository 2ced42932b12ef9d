"""What submissions for withheld rows are graded against, and how: scores, their uncertainty, and comparisons.

Uncertainty comes from a cluster bootstrap over the units of the split (rows, groups, weeks): whole units are drawn with
replacement, and the standard error is the standard deviation of the scores (the pairs cluster bootstrap of Cameron,
Gelbach and Miller, 2008, "Bootstrap-Based Improvements for Inference with Clustered Errors", with scores in place of
regression coefficients). Nothing is fitted again: it covers the choice of rows, not of the training data. Two
submissions are compared on the same resamples (paired bootstrap resampling, Koehn 2004, "Statistical Significance Tests
for Machine Translation Evaluation").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mlestar.data.task import TaskSpec
from mlestar.evaluation.holdout.plan import Comparison, Grade
from mlestar.evaluation.line_submission import read_lines
from mlestar.evaluation.predictions import SubmissionError, constant_warning
from mlestar.evaluation.submission import SubmissionForm, read_predictions
from mlestar.metrics import canonical
from mlestar.metrics.spec import sign

MIN_UNITS = 5
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
LARGEST_SCORE = 1e100
"""Size from which a score is refused. Squares and sums of smaller ones stay finite, so that no error, difference or
mean of scores overflows (floats end at 1.8e308)."""


@dataclass(frozen=True)
class Answers:
    """What submissions for the withheld rows of a holdout are graded against; another process can be sent it."""

    name: str
    """Of the holdout."""
    form: SubmissionForm
    row_truth: np.ndarray | None
    """The targets of the withheld rows; None where a submission has several lines for a row, which know theirs."""
    row_units: np.ndarray
    """The resampling unit of each withheld row."""
    extra: tuple[np.ndarray, ...]
    """What the metric needs of the withheld rows besides their targets, such as weights."""
    resamples: int
    """Resamples of the bootstrap behind standard errors, at most."""

    @cached_property
    def truth(self) -> np.ndarray:
        """The targets of the withheld rows, of each line where a submission has several for a row."""
        lines = self.form.lines
        if self.row_truth is not None or lines is None:
            return np.array([]) if self.row_truth is None else self.row_truth
        return np.concatenate([lines.truth(row) for row in range(len(lines.counts))])

    @cached_property
    def units(self) -> np.ndarray:
        """The resampling unit of each withheld row or line."""
        lines = self.form.lines
        return self.row_units if lines is None else np.repeat(self.row_units, lines.counts)

    def grade(self, submission: Path) -> Grade:
        """Grade a submission that a script wrote; an invalid one gets a message instead of a score."""
        return self.grade_and_resample(submission)[0]

    def grade_and_resample(self, submission: Path) -> tuple[Grade, np.ndarray]:
        """Grade a submission; return also its score on each resample, NaN where the metric is undefined on it.

        The resamples are the same for every submission, so that the scores of two of them can be compared in pairs.
        """
        try:
            predicted = read_submission(self.form, submission)
            score = self._score(self.truth, predicted, self.extra)
        except SubmissionError as error:
            return Grade(score=None, standard_error=None, problem=str(error)), np.array([])
        resampled = np.array([self._resampled(predicted, rows) for rows in resamples(self.units, self.resamples)])
        warnings = [*constant_warning(predicted), *_unit_warning(self.units)]
        standard_error = resampled_error(resampled)
        if standard_error is None:
            warnings.append("the score is undefined on most resamples, so its standard error is unknown")
        return Grade(score=score, standard_error=standard_error, warnings=tuple(warnings)), resampled

    def compare(self, submission: Path, baseline: Path) -> Comparison:
        """Compare two submissions on the same resamples.

        Raises:
            ValueError: one of them is not valid; grade it for the reason.
        """
        try:
            predicted = read_submission(self.form, submission)
            baseline_predicted = read_submission(self.form, baseline)
            score = self._score(self.truth, predicted, self.extra)
            difference = score - self._score(self.truth, baseline_predicted, self.extra)
        except SubmissionError as error:
            raise ValueError(str(error)) from None
        resampled: list[float] = []
        for rows in resamples(self.units, self.resamples):
            resampled.append(self._resampled(predicted, rows) - self._resampled(baseline_predicted, rows))
        factor = sign(self.form.metric.direction)
        differences = factor * np.array(resampled)
        differences = differences[np.isfinite(differences)]
        return Comparison(
            difference=factor * difference,
            standard_error=resampled_error(differences) or 0.0,
            probability_better=_share_above_zero(differences),
        )

    def score_rows(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Score predictions for some of the rows; NaN where the metric is undefined on them."""
        extra = tuple(values[rows] for values in self.extra)
        try:
            return self._score(self.truth[rows], predicted, extra)
        except SubmissionError:
            return float("nan")

    def _resampled(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Score a resample; NaN where the metric is undefined on it."""
        return self.score_rows(predicted[rows], rows)

    def _score(self, truth: np.ndarray, predicted: np.ndarray, extra: tuple[np.ndarray, ...]) -> float:
        spec, metric = self.form.spec, self.form.metric
        classes = tuple(canonical(label) for label in spec.classes)
        positive = None if spec.pos_label is None else canonical(spec.pos_label)
        try:
            with np.errstate(all="ignore"):
                score = metric.score(truth, predicted, classes=classes, pos_label=positive, extra=extra)
        except ValueError as error:
            msg = f"{spec.metric} cannot be computed: {error}{_largest(spec, predicted)}"
            raise SubmissionError(msg) from error
        if abs(score) > LARGEST_SCORE:
            msg = f"{spec.metric} cannot be computed: the score is {score:.3g}, too large{_largest(spec, predicted)}"
            raise SubmissionError(msg)
        return score


def read_submission(form: SubmissionForm, submission: Path) -> np.ndarray:
    """Return the predictions in the order of the expected rows or lines.

    Raises:
        SubmissionError: the submission is not valid.
    """
    return read_predictions(form, submission) if form.lines is None else read_lines(form, form.lines, submission)


def check_form(form: SubmissionForm, submission: Path) -> str:
    """Return what is wrong with a submission of which only the form is known; empty when it is valid."""
    try:
        read_submission(form, submission)
    except SubmissionError as error:
        return str(error)
    return ""


def _largest(spec: TaskSpec, predicted: np.ndarray) -> str:
    """Return a hint where predictions are so large that no score of them can be finite."""
    if spec.prediction_kind != "value" or not len(predicted):
        return ""
    largest = float(np.abs(predicted).max())
    return f"; a prediction is as large as {largest:.3g}" if largest > np.sqrt(LARGEST_SCORE) else ""


def resampled_error(scores: np.ndarray) -> float | None:
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
    if count >= MIN_UNITS:
        return ()
    return (f"independent units withheld: {count}; the standard error covers their rows, not other units",)


def resamples(units: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield the rows of bootstrap resamples, whole units at a time; the same for every submission."""
    rng = np.random.default_rng(0)
    # Of the many lines of a picture an even sample says as much.
    every = max(1, len(units) // _MAX_RESAMPLED) if len(np.unique(units)) * _LINES_PER_UNIT < len(units) else 1
    lines = np.arange(0, len(units), every)
    units = units[lines]
    if len(np.unique(units)) < MIN_UNITS:
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
