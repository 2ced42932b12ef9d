"""Grading what a script submits for withheld rows, and what a submission must look like."""

import logging
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts import SubmissionLines
from mlestar.data.tables.numbers import read_numbers
from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError
from mlestar.evaluation.answers import DEFAULT_RESAMPLES, Answers, check_form
from mlestar.evaluation.holdout.holdout import Holdout, example_rows, labelled_rows, withheld_ids
from mlestar.evaluation.holdout.plan import Comparison, Grade
from mlestar.evaluation.holdout.stage import staged_sample
from mlestar.evaluation.submission import RowIds, SubmissionForm
from mlestar.metrics import KnownLabels, Metric, canonical_labels, get_metric, is_built_in

logger = logging.getLogger("mlestar.evaluation")


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
    accepts_sample: bool = False
    """A submission may equal the sample submission, as the best constant often does."""

    @cached_property
    def form(self) -> SubmissionForm:
        """What a submission must look like; read once, as it is the same for all of them."""
        task, holdout = self.task, self.holdout
        if (lines := self.lines) is not None:
            return _lines_form(task, lines)
        sample = staged_sample(task, holdout)
        form = _submission_form(task, len(holdout.withheld), withheld_ids(task, holdout), sample)
        return replace(form, may_equal_sample=self.accepts_sample)

    @cached_property
    def lines(self) -> SubmissionLines | None:
        """The lines of a submission where it has several for a row."""
        return self.task.layout.submission_lines(self.holdout.withheld)

    @cached_property
    def answers(self) -> Answers:
        """What submissions are graded against.

        Raises:
            HoldoutError: the metric needs columns that the rows do not have.
        """
        withheld = self.holdout.withheld
        rows = self.task.train.rows.iloc[withheld]
        truth = read_truth(self.task.spec, rows) if self.lines is None else None
        return Answers(self.holdout.name, self.form, truth, self.holdout.units, self.extra, self.resamples)

    @cached_property
    def is_portable(self) -> bool:
        """Whether another process can compute the metric: a built-in one, or one in a file of the task folder."""
        return has_portable_metric(self.task)

    @property
    def units(self) -> np.ndarray:
        """The resampling unit of each withheld row or line."""
        return self.answers.units

    @property
    def truth(self) -> np.ndarray:
        """The targets of the withheld rows, of each line where a submission has several for a row."""
        return self.answers.truth

    @cached_property
    def extra(self) -> tuple[np.ndarray, ...]:
        """What the metric needs of the withheld rows besides their targets, such as weights."""
        task = self.task
        frame = task.train.rows
        known, rows = frame.iloc[self.holdout.train], frame.iloc[self.holdout.withheld]
        return _extra(task, known, rows)

    def grade(self, submission: Path) -> Grade:
        """Grade a submission that a script wrote; an invalid one gets a message instead of a score."""
        start = time.monotonic()
        grade = self.answers.grade(submission)
        status = "graded" if grade.score is not None else "rejected"
        rows, seconds = len(self.holdout.withheld), time.monotonic() - start
        logger.debug("%s: %s, %d rows, %.2f s", self.holdout.name, status, rows, seconds)
        return grade

    def compare(self, submission: Path, baseline: Path) -> Comparison:
        """Compare two submissions on the same resamples.

        Raises:
            ValueError: one of them is not valid; grade it for the reason.
        """
        return self.answers.compare(submission, baseline)


def check_submission(task: Task, submission: Path) -> str:
    """Return what is wrong with a submission for the real test rows; empty when it is valid.

    Raises:
        HoldoutError: no table has the rows to predict.
    """
    return check_form(real_form(task), submission)


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


def real_answers(task: Task, labels: pd.DataFrame, resamples: int = DEFAULT_RESAMPLES) -> Answers:
    """Return what submissions for the real test rows are graded against; its bootstrap draws single rows.

    A submission that equals the sample is graded like any other.

    Args:
        task: the task, which has no label of these rows.
        labels: the target columns of the test rows as text, with their ids, or in test order where they have none.
        resamples: of the bootstrap behind standard errors, at most.

    Raises:
        HoldoutError: labels of some rows are missing, or submissions have several lines for a row.
    """
    form = replace(real_form(task), may_equal_sample=True)
    if form.lines is not None:
        msg = "submissions of this task have several lines for a row, whose answers are no table of labels"
        raise HoldoutError(msg)
    rows = labels.iloc[_rows_of_answers(task, form, labels)].reset_index(drop=True)
    rows = _in_known_spelling(form, rows)
    _check_labels(form, rows)
    if task.test.frame is not None:
        test = task.test.frame.reset_index(drop=True)
        rows = rows.join(test[[name for name in test.columns if name not in rows.columns]])
    extra = _extra(task, task.train.rows, rows)
    return Answers("test", form, read_truth(task.spec, rows), np.arange(form.rows), extra, resamples)


def _rows_of_answers(task: Task, form: SubmissionForm, labels: pd.DataFrame) -> np.ndarray:
    """Return for each expected row of a submission the number of its row of labels."""
    columns = set(form.spec.target) if form.ids is None else {*form.spec.target, form.ids.name}
    if missing := columns - set(labels.columns):
        msg = f"the answers have no column {', '.join(map(repr, sorted(missing)))}"
        raise HoldoutError(msg)
    ids = form.ids or _test_ids(task, labels)
    if ids is None:
        places = np.arange(form.rows) if len(labels) == form.rows else np.array([-1])
    else:
        index = pd.Index(ids.comparable(labels[ids.name]))
        places = index.get_indexer(pd.Index(ids.expected)) if index.is_unique else np.array([-1])
    if (places < 0).any():
        msg = f"the answers have {len(labels)} rows, which are not those of the {form.rows} rows to predict"
        raise HoldoutError(msg)
    return np.asarray(places)


def _test_ids(task: Task, labels: pd.DataFrame) -> RowIds | None:
    """Return ids that test rows and answers have where submissions have none; None where the order is the same.

    Raises:
        HoldoutError: the order differs, and no column tells the rows apart.
    """
    test = task.test.frame
    if test is None:
        return None
    shared = [name for name in test.columns if name in labels.columns and name not in task.spec.target]
    moved = [name for name in shared if _is_moved(test[name], labels[name])]
    for name in moved:
        if not test[name].duplicated().any():
            return RowIds(name, test[name])
    if moved:
        msg = f"the answers are not in the order of {task.spec.test}, and {moved[0]!r} does not tell its rows apart"
        raise HoldoutError(msg)
    return None


def _is_moved(cells: pd.Series, others: pd.Series) -> bool:
    """Return whether two columns have the same values in another order."""
    first, second = (canonical_labels(column) for column in (cells, others))
    if len(first) != len(second) or (first == second).all():
        return False
    return bool((np.sort(first) == np.sort(second)).all())


def _in_known_spelling(form: SubmissionForm, rows: pd.DataFrame) -> pd.DataFrame:
    """Return answers with labels as train spells them, as those of a submission are read: 7 is 007 there."""
    spec = form.spec
    known = form.labels if form.labels.labels else KnownLabels(spec.classes)
    if spec.prediction_kind not in ("label", "probability") or form.metric.several_labels or not known.labels:
        return rows
    matched = {name: known.match(rows[name]) for name in spec.target}
    if not any(np.isin(labels, list(known.labels)).any() for labels in matched.values()):
        name = spec.target[0]
        msg = f"no answer in {name!r} is a label of train, such as {rows[name].iloc[0]!r}"
        raise HoldoutError(msg)
    return rows.assign(**matched)


def _check_labels(form: SubmissionForm, rows: pd.DataFrame) -> None:
    """Refuse answers in which a label is missing: no submission could be right there.

    Raises:
        HoldoutError: with the column.
    """
    spec = form.spec
    if spec.prediction_kind == "text" or form.metric.several_labels:
        return
    for name in spec.target:
        if spec.prediction_kind == "value":
            missing = ~np.isfinite(read_numbers(rows[name], spec.number_formats.get(name, "")))
        else:
            missing = canonical_labels(rows[name]) == ""
        if missing.any():
            cell = rows[name][missing].iloc[0]
            msg = f"the answers have no label in {int(missing.sum())} cells of {name!r}, such as {cell!r}"
            raise HoldoutError(msg)


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


def _extra(task: Task, known: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return what the metric needs of graded rows besides their targets, such as weights.

    Raises:
        HoldoutError: the rows do not have it.
    """
    try:
        return _metric(task).extra(known, rows, task.spec.target[0])
    except (ValueError, KeyError) as error:
        msg = f"{task.spec.metric} cannot be computed: {error}"
        raise HoldoutError(msg) from error


def read_truth(spec: TaskSpec, frame: pd.DataFrame) -> np.ndarray:
    """Return the targets of graded rows in the form that the metric takes, columns in the order of predictions."""
    same_names = set(spec.target) == set(spec.prediction_columns)
    names = spec.prediction_columns if same_names else spec.target
    if spec.prediction_kind == "value":
        columns = [read_numbers(frame[name], spec.number_formats.get(name, "")) for name in names]
    elif spec.prediction_kind == "text":
        columns = [frame[name].to_numpy(dtype=object) for name in names]
    else:
        columns = [canonical_labels(frame[name]) for name in names]
    return np.column_stack(columns) if len(columns) > 1 else columns[0]


def has_portable_metric(task: Task) -> bool:
    """Return whether another process can compute the task's metric: not an object or a function of the caller's."""
    name = task.spec.metric
    if task.own_metric and task.metric.name == name:
        return False
    return ".py:" in name or is_built_in(name)


def _metric(task: Task) -> Metric:
    """Return the metric of the spec, which the analyst may have completed since the task was read."""
    spec = task.spec
    if task.metric.name == spec.metric:
        return task.metric
    return get_metric(spec.metric, task.folder, direction=spec.direction, kind=spec.prediction_kind)
