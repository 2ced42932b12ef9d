"""Files that hold the answers: the target of the test rows. No script may see them, on a holdout or the real input."""

import codecs
import logging

import pandas as pd

from mlestar.data.layouts.roles import LABEL_WORDS, file_words, role_of_name
from mlestar.data.tables import is_table
from mlestar.data.task import Task
from mlestar.errors import UserError

logger = logging.getLogger("mlestar.evaluation")

_ANSWERS = {"answer", "answers", "solution", "solutions", "truth", "groundtruth"}
_PLAIN = (".csv", ".tsv", ".txt")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD_BYTES = 65_536
"""Bytes in which a header is looked for. Chosen by judgement; not measured."""
_FILLED = 0.5
"""Share of the test rows whose target a file must hold. A file of a few known values is a feature, such as the history
of some rows. Chosen by judgement; not measured."""
_UNIQUE = 0.9
"""Share of different test rows from which columns that both have identify them. Chosen by judgement; not measured."""


def find_answers(task: Task) -> tuple[str, ...]:
    """Return the files of the input folder that hold the target of the test rows, besides those with a role."""
    if task.test.frame is None or not len(task.test.frame):
        return ()
    names = [name for name in task.layout.source.folder.files if not task.layout.owns(name)]
    answers = tuple(name for name in names if _is_called_answers(task, name) or _holds_target(task, name))
    for name in answers:
        logger.info("%s holds the target of the test rows: no script sees it", name)
    return answers


def describe_answers(names: tuple[str, ...]) -> str:
    """Return one line for a person about files that hold answers, empty when there is none."""
    if not names:
        return ""
    return f"left out of every input, since the target of the test rows is in it: {', '.join(names)}"


def _is_called_answers(task: Task, name: str) -> bool:
    """Return whether a name says that the file has the labels of test, and a table has rows of test."""
    words = set(file_words(name))
    of_test = role_of_name(name) == "test" and words & LABEL_WORDS
    if not (of_test or words & _ANSWERS) or set(task.layout.names) & {name}:
        return False
    if not is_table(task.input / name):
        return bool(of_test)
    try:
        frame = task.table(name).frame
    except UserError:
        return True
    keys = _find_keys(task, frame, task.test.rows)
    if not keys:
        return len(frame) == len(task.test.rows)
    return _covers(frame, task.test.rows, keys)


def _holds_target(task: Task, name: str) -> bool:
    return _may_hold_answers(task, name) and _holds_answers(task, name)


def _may_hold_answers(task: Task, name: str) -> bool:
    """Return whether a file is a table and, where its beginning is plain text, names the target there."""
    path = task.input / name
    if not is_table(path):
        return False
    if path.suffix.lower() not in _PLAIN:
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.startswith(_WIDE) or all(target.encode() in head for target in task.spec.target)


def _holds_answers(task: Task, name: str) -> bool:
    try:
        frame = task.table(name).frame
    except UserError:
        return False
    test, target = task.test.rows, list(task.spec.target)
    if not set(target) <= set(frame.columns):
        return False
    filled = frame[(frame[target] != "").all(axis=1)]
    if set(frame.columns) == set(target):
        return len(filled) >= _FILLED * len(test) and len(frame) == len(test)
    keys = _find_keys(task, frame, test)
    if not keys:
        return False
    return _covers(filled, test, keys)


def _covers(frame: pd.DataFrame, test: pd.DataFrame, keys: list[str]) -> bool:
    """Return whether a file has enough of the test rows."""
    return bool(_join(test, keys).isin(set(_join(frame, keys))).mean() >= _FILLED)


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
