"""Files that hold the answers: the target of the test rows. No script may see them, on a holdout or the real input."""

import logging

import pandas as pd

from mlestar.data.tables import is_table, read_table
from mlestar.data.task import FileStatistics, Task
from mlestar.errors import UserError

logger = logging.getLogger("mlestar.evaluation")

_FILLED = 0.5
"""Share of the test rows whose target a file must hold. A file of a few known values is a feature, such as the history
of some rows. Chosen by judgement; not measured."""
_UNIQUE = 0.9
"""Share of different test rows from which columns that both have identify them. Chosen by judgement; not measured."""


def find_answers(task: Task) -> tuple[str, ...]:
    """Return the files of the input folder that hold the target of the test rows, train and sample aside."""
    roles = {task.spec.train, task.spec.test, task.spec.sample_submission}
    names = [file.file for file in task.statistics if file.file not in roles and _may_hold_answers(task, file)]
    answers = tuple(name for name in names if _holds_answers(task, name))
    for name in answers:
        logger.info("%s holds the target of the test rows: no script sees it", name)
    return answers


def describe_answers(names: tuple[str, ...]) -> str:
    """Return one line for a person about files that hold answers, empty when there is none."""
    if not names:
        return ""
    return f"left out of every input, since the target of the test rows is in it: {', '.join(names)}"


def _may_hold_answers(task: Task, file: FileStatistics) -> bool:
    """Return whether a file has the columns; one too large to be described has to be read."""
    if not is_table(task.input / file.file):
        return False
    return not file.columns or {column.name for column in file.columns} >= set(task.spec.target)


def _holds_answers(task: Task, name: str) -> bool:
    try:
        frame = read_table(task.input / name).frame
    except UserError:
        return False
    test, target = task.table(task.spec.test).frame, list(task.spec.target)
    if not len(test) or not set(target) <= set(frame.columns):
        return False
    filled = frame[(frame[target] != "").all(axis=1)]
    if set(frame.columns) == set(target):
        return len(filled) >= _FILLED * len(test) and len(frame) == len(test)
    keys = _find_keys(task, frame, test)
    if not keys:
        return False
    return bool(_join(test, keys).isin(set(_join(filled, keys))).mean() >= _FILLED)


def _find_keys(task: Task, frame: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """Return the columns by which rows of a file are rows of test."""
    key = task.spec.id
    if key is not None and key in frame.columns and key in test.columns:
        return [key]
    shared = [column for column in test.columns if column in frame.columns and column not in task.spec.target]
    return shared if shared and _join(test, shared).nunique() >= _UNIQUE * len(test) else []


def _join(frame: pd.DataFrame, keys: list[str]) -> "pd.Series[str]":
    """Return the cells of the key columns as one text per row."""
    joined = frame[keys[0]].str.strip()
    for key in keys[1:]:
        joined = joined + "\x1f" + frame[key].str.strip()
    return joined
