"""The same prediction for every row: the constant that scores best on the labelled rows of train."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlestar.baselines import NoBaselineError, best_constant, write_constant
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.data.layouts import SubmissionLines
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.grader import real_form
from mlestar.evaluation.holdout.holdout import labelled_rows

CONSTANT = "constant"
_SAMPLED = 200
"""Rows of which the lines are averaged. Chosen by judgement; not measured."""


@dataclass
class ConstantPeer:
    """Predicts the best constant, without any feature."""

    name: str = CONSTANT
    settings: Mapping[str, str] = field(default_factory=lambda: {"tool": CONSTANT})

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        start = time.monotonic()
        submission = folder / "submission.csv"
        try:
            predict_constant(Task.load(task.folder.absolute(), workspace=folder / "converted"), submission)
        except (UserError, NoBaselineError) as error:
            return Outcome("unavailable", time.monotonic() - start, first_line(str(error)))
        return Outcome("graded", time.monotonic() - start, submission=submission)


def predict_constant(task: Task, submission: Path) -> None:
    """Write the submission of the best constant.

    Raises:
        UserError: the labels or the rows to predict cannot be listed.
        NoBaselineError: no row has a label.
    """
    lines = task.layout.submission_lines(None)
    if lines is not None:
        _write_lines(task, lines, submission)
        return
    constant = best_constant(task, task.metric, np.flatnonzero(labelled_rows(task)))
    submission.write_text(write_constant(real_form(task), constant), encoding="utf-8")


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
