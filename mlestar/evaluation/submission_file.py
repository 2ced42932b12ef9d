"""The final `submission.csv`, in the form of the sample submission; no prediction is changed."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.tables.quoting import choose_quoting
from mlestar.data.task import Task
from mlestar.evaluation.grader import real_form
from mlestar.evaluation.line_submission import read_lines
from mlestar.evaluation.submission import SubmissionForm, read_cells
from mlestar.metrics import canonical

_WHOLE = re.compile(r"[+-]?\d+")
_WHOLE_WITH_POINT = re.compile(r"[+-]?\d+\.0*")


def write_submission(task: Task, submission: Path) -> str:
    """Return the text of a valid submission for the real test rows, in the form of the sample submission.

    It has the sample's columns in their order, also those that the sample copies from the test rows, its row order, its
    delimiter and decimal mark, and its spelling of ids and labels; without a sample, labels as train spells them.

    Raises:
        SubmissionError: the submission is not valid.
        HoldoutError: no table has the rows to predict.
    """
    form = real_form(task)
    if form.lines is not None:
        # Millions of lines, which scripts write from the sample's ids.
        read_lines(form, form.lines, submission)
        return submission.read_text(encoding="utf-8-sig")
    cells = read_cells(form, submission).reset_index(drop=True)
    for column in form.spec.prediction_columns:
        cells[column] = _write_predictions(task, form, cells[column])
    table = _arrange(task, form, cells)
    # A column without a name, which readers call by its position, has none here either.
    names = ["" if name == f"Unnamed: {place}" else name for place, name in enumerate(table.columns)]
    text: str = table.to_csv(
        index=False,
        sep=form.spec.submission_delimiter,
        lineterminator="\n",
        header=names,
        quoting=choose_quoting(table),
    )
    return text


def _arrange(task: Task, form: SubmissionForm, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the columns and the rows of the sample; without a sample the required columns in test order."""
    sample, test = form.sample, task.test.frame if task.spec.has_test else None
    if sample is None:
        ids = [] if form.ids is None else [form.ids.cells.reset_index(drop=True)]
        predictions = cells[list(form.spec.prediction_columns)]
        return pd.concat([*ids, predictions], axis=1)
    order, predicted = _sample_order(form), set(form.spec.prediction_columns)
    columns: dict[str, np.ndarray] = {}
    for column in sample.columns:
        if column in predicted:
            columns[column] = cells[column].to_numpy()[order]
        elif test is not None and column in test.columns and column != form.spec.id and len(test) == len(sample):
            columns[column] = test[column].to_numpy()[order]
        else:
            columns[column] = sample[column].to_numpy()
    missing = [name for name in form.spec.prediction_columns if name not in columns]
    return pd.DataFrame(columns | {name: cells[name].to_numpy()[order] for name in missing})


def _sample_order(form: SubmissionForm) -> np.ndarray:
    """Return for each row of the sample the number of its expected row."""
    if form.ids is None or form.sample is None:
        return np.arange(form.rows)
    expected = pd.Index(form.ids.expected)
    return np.asarray(expected.get_indexer(form.ids.comparable(form.sample[form.ids.name])))


def _write_predictions(task: Task, form: SubmissionForm, cells: pd.Series) -> pd.Series:
    spec = form.spec
    if spec.prediction_kind == "label":
        spell = _spelling(task, form)
        texts = pd.Series(form.labels.match(cells))
        return texts.map({label: spell(label) for label in texts.unique()})
    if spec.prediction_kind == "text":
        return cells
    return cells.str.strip().str.replace(".", spec.submission_decimal, regex=False)


def _spelling(task: Task, form: SubmissionForm) -> Callable[[str], str]:
    """Return the function that spells a canonical label as the sample does, else as train does."""
    spec = form.spec
    in_sample = {} if form.sample is None else _spellings(form.sample, spec.prediction_columns)
    in_train = _spellings(task.train.rows, spec.target) if task.labelled else {}
    in_train |= {canonical(label): label.strip() for label in spec.classes}
    style = _style_of(in_sample.values())
    return lambda label: in_sample.get(label) or (style(label) if style else None) or in_train.get(label, label)


def _spellings(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return how each canonical label is spelled most often."""
    cells = pd.concat([frame[column] for column in columns if column in frame.columns] or [pd.Series(dtype=str)])
    counts = cells.str.strip().value_counts()
    # Reversed, so that the most frequent spelling stays.
    return {canonical(str(text)): str(text) for text in reversed(counts.index) if text}


def _style_of(labels: Iterable[str]) -> Callable[[str], str | None] | None:
    """Return how a sample spells whole numbers and truth values, from the labels that it shows; None if it shows none.

    A sample often holds one label in every row, so the spelling of the others follows from that of the one.
    """
    for label in labels:
        if _WHOLE.fullmatch(label):
            return lambda other: other if _WHOLE.fullmatch(other) else None
        if _WHOLE_WITH_POINT.fullmatch(label):
            tail = label[label.index(".") :]
            return lambda other: other + tail if _WHOLE.fullmatch(other) else None
        if label.lower() in ("true", "false"):
            change = str.upper if label.isupper() else str.lower if label.islower() else str.capitalize
            return lambda other: change(other) if other in ("True", "False") else None
    return None
