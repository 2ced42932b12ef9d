"""Grading submissions of a competition by the rules of MLE-bench, and how uncertain the score is."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.mlebench.medals import DECIMALS, Thresholds
from mlestar.bench.mlebench.rules import Rules
from mlestar.bench.mlebench.tables import (
    as_labels,
    as_numbers,
    as_texts,
    match_rows,
    read_cells,
    read_pictures,
    read_submission,
    require_columns,
)
from mlestar.bench.rows import Graded, Standing
from mlestar.errors import UserError
from mlestar.evaluation.answers import DEFAULT_RESAMPLES, resampled_error, resamples
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics import canonical
from mlestar.metrics.spec import Direction

_SUM_TOLERANCE = 1e-6 + 1e-5
"""How far the probabilities of a row may be from a sum of 1. Absolute and relative tolerance of MLE-bench's graders."""


_MIN_BYTES, _CELL_BYTES, _LONGER = 2**24, 128, 4
"""Bytes that every submission may have, bytes of a cell, and a factor on the size of the answers. Chosen by judgement;
not measured."""


@dataclass(frozen=True)
class _Truth:
    ids: pd.Series
    values: np.ndarray
    """Canonical text, floats or text, by the kind of the metric; (n,) or (n, targets)."""
    units: np.ndarray
    """The resampling unit of each row."""


@dataclass
class CompetitionAnswers:
    """What submissions of a competition are graded against.

    What the graders of MLE-bench have in common is checked: a CSV file, the columns, the ids and no others, finite
    numbers, probabilities between 0 and 1 that sum to 1. The score is rounded as there.
    """

    file: Path = field(repr=False)
    """A CSV file of the answers, or a folder of pictures that are the answers."""
    rules: Rules
    thresholds: Thresholds | None = None
    metric: str = field(init=False)
    direction: Direction = field(init=False)

    def __post_init__(self) -> None:
        self.metric, self.direction = self.rules.metric.name, self.rules.direction

    def check(self) -> None:
        """Read the answers, so that their faults are known before any tool runs.

        Raises:
            UserError: they cannot be read, or have no label that is the positive one.
        """
        positive, labels = self.rules.pos_label, self._two_labels
        if positive is not None and labels and canonical(positive) not in labels:
            msg = f"{self.file}: pos_label is {positive!r}, but the answers have {' and '.join(map(repr, labels))}"
            raise UserError(msg)

    def standing(self, score: float) -> Standing | None:
        return None if self.thresholds is None else self.thresholds.standing(score)

    def grade(self, submission: Path) -> Graded:
        """Grade a submission; one that is not valid gets a problem in place of a score."""
        try:
            predicted = self._read(submission)
            score = self._score(self._truth.values, predicted)
        except SubmissionError as error:
            return Graded(problem=str(error))
        scores = [self._resampled(predicted, rows) for rows in resamples(self._truth.units, DEFAULT_RESAMPLES)]
        return Graded(
            score=round(score, DECIMALS),
            standard_error=resampled_error(np.array(scores)),
            resampled=tuple(scores),
        )

    @cached_property
    def _max_bytes(self) -> int:
        """Bytes that a submission may have: a number in each cell, or texts that are longer than those of the answers.

        Its ids may be longer than a number, as those in the answers are.
        """
        cells = len(self._truth.ids) * (1 + len(self.rules.prediction_columns))
        size = self.file.stat().st_size if self.file.is_file() else 0
        return max(_MIN_BYTES, _CELL_BYTES * cells + _LONGER * size)

    @cached_property
    def _truth(self) -> _Truth:
        rules = self.rules
        if self.file.is_dir():
            frame, units = read_pictures(self.file, rules.id_column, rules.target[0])
        else:
            frame = _read_answers(self.file)
            units = np.arange(len(frame))
        try:
            return _Truth(_column(frame, rules.id_column), self._true_values(frame), units)
        except SubmissionError as error:
            msg = f"{self.file}: {error}"
            raise UserError(msg) from error

    def _true_values(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the answers; those in the form of a submission have a column of 0 and 1 for each class."""
        rules = self.rules
        if rules.classes and not set(rules.target) <= set(frame.columns):
            require_columns(frame, rules.prediction_columns)
            likeliest = as_numbers(frame, rules.prediction_columns).argmax(axis=1)
            labels: np.ndarray = np.array([canonical(name) for name in rules.classes], dtype=object)
            return np.asarray(labels[likeliest])
        require_columns(frame, rules.target)
        if rules.metric.kind == "value":
            return _flat(as_numbers(frame, rules.target))
        return _flat(as_texts(frame, rules.target) if rules.metric.kind == "text" else as_labels(frame, rules.target))

    def _read(self, submission: Path) -> np.ndarray:
        rules, frame = self.rules, read_submission(submission, self._max_bytes, len(self._truth.ids))
        require_columns(frame, rules.prediction_columns)
        frame = match_rows(frame, self._truth.ids, rules.id_column)
        kind = rules.metric.kind
        if kind == "text":
            return _flat(as_texts(frame, rules.prediction_columns))
        if kind == "label":
            return _flat(as_labels(frame, rules.prediction_columns))
        values = as_numbers(frame, rules.prediction_columns)
        if kind == "probability":
            _check_probabilities(values, sum_to_one=bool(rules.classes))
        return _flat(values)

    def _score(self, truth: np.ndarray, predicted: np.ndarray) -> float:
        classes = tuple(canonical(name) for name in self.rules.classes)
        try:
            if self.metric == "log_loss" and truth.ndim == 1:
                return _log_loss(truth, predicted, classes or self._two_labels)
            return self.rules.metric.score(truth, predicted, classes=classes, pos_label=self._positive)
        except ValueError as error:
            msg = f"{self.metric} cannot be computed: {error}"
            raise SubmissionError(msg) from error

    @cached_property
    def _positive(self) -> str | None:
        return self._two_labels[-1] if self._two_labels else None

    @cached_property
    def _two_labels(self) -> tuple[str, ...]:
        """The negative and the positive label; where none is named, the second one in order is positive."""
        values, named = self._truth.values, self.rules.pos_label
        if self.rules.metric.kind not in ("label", "probability") or values.ndim > 1:
            return ()
        positive = None if named is None else canonical(named)
        labels = sorted(set(values), key=lambda label: (label == positive, label))
        return tuple(labels) if len(labels) == 2 else ()

    def _resampled(self, predicted: np.ndarray, rows: np.ndarray) -> float:
        """Score a resample; NaN where the metric is undefined on it."""
        try:
            return self._score(self._truth.values[rows], predicted[rows])
        except SubmissionError:
            return float("nan")


def _read_answers(path: Path) -> pd.DataFrame:
    try:
        return read_cells(path)
    except (OSError, ValueError) as error:
        msg = f"{path}: the answers cannot be read: {error}"
        raise UserError(msg) from error


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    require_columns(frame, [name])
    column: pd.Series = frame[name]
    return column


def _flat(values: np.ndarray) -> np.ndarray:
    return values[:, 0] if values.shape[1] == 1 else values


def _check_probabilities(values: np.ndarray, *, sum_to_one: bool) -> None:
    if (values < 0).any() or (values > 1).any():
        msg = "probabilities must be between 0 and 1"
        raise SubmissionError(msg)
    if sum_to_one and (np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
        msg = "the probabilities of each row must sum to 1"
        raise SubmissionError(msg)


def _log_loss(truth: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> float:
    """Return the log loss with probabilities bounded as in scikit-learn; the table of metrics bounds them differently.

    Args:
        truth: labels.
        predicted: the probability of each class, or of the second one alone.
        classes: the labels of the columns.
    """
    columns = pd.Index(classes).get_indexer(pd.Index(truth))
    if not classes or (columns < 0).any():
        msg = "an answer is none of the classes"
        raise ValueError(msg)
    shares = np.column_stack([1 - predicted, predicted]) if predicted.ndim == 1 else predicted
    smallest = np.finfo(shares.dtype).eps
    return float(-np.log(np.clip(shares[np.arange(len(truth)), columns], smallest, 1 - smallest)).mean())
