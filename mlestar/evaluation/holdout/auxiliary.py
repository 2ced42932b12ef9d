"""Auxiliary files of the input folder: what they reveal about withheld rows must not be staged."""

import logging
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.tables.numbers import find_style, read_numbers
from mlestar.data.task import Task
from mlestar.errors import HoldoutError, TaskError
from mlestar.metrics import canonical_labels

logger = logging.getLogger("mlestar.evaluation")

_CONTAINERS = (".zip", ".tar", ".tgz", ".7z", ".npz", ".npy", ".pkl", ".h5", ".feather", ".xlsx", ".sqlite", ".db")

# The limits below were chosen by judgement; none was measured.
_MOST = 0.9
"""Share of rows from which columns count as equal, a key as unique, and paths as folders of classes."""
_COVERED = 0.5
"""Share of the real test rows whose cells a file must have for a column to be a feature."""
_MIN_MATCHES = 20
"""Rows with a known label below which a column cannot be recognised as the target."""
_SAME_LINE = 0.999
"""Correlation from which numbers are the target in another form."""
_SAMPLE_ROWS = 200
"""Rows of train whose paths are checked."""
_HEAD_BYTES = 65_536
"""Bytes of an unreadable table that are searched for the name of the target."""


def safe_rows(task: Task, kept: np.ndarray, path: Path) -> tuple[Table, np.ndarray] | None:
    """Return a table file and the rows of it to stage; None when the file can be staged as it is.

    A row is removed when it has the key of a train row outside `kept` (the row numbers that stay in train) and reveals
    its target, or a train-only field, and the file does not reveal that for the real test rows.

    Raises:
        HoldoutError: the file holds labels and it cannot be decided whose.
    """
    if not is_table(path):
        _reject_container(task, path)
        return None
    try:
        table = read_table(path)
    except TaskError:
        _reject_mention(task, path)
        return None
    train = task.train.rows
    keys = _find_keys(task, table.frame)
    leaks = _leaky_columns(task, table.frame, keys)
    if not leaks:
        return None
    if not keys:
        if not set(leaks) & set(task.spec.target):
            return None
        msg = f"{path.name} holds the column {leaks[0]!r} and no key to the rows it belongs to"
        raise HoldoutError(msg)
    withheld = np.setdiff1d(np.arange(len(train)), kept)
    withheld_keys = set(_join(train.iloc[withheld], keys))
    rows = np.flatnonzero(~_join(table.frame, keys).isin(withheld_keys).to_numpy())
    logger.debug("%s: %s removed from %d of %d rows", path.name, ", ".join(leaks), len(table) - len(rows), len(table))
    return (table, rows) if len(rows) < len(table) else None


def reject_leaky_paths(task: Task) -> None:
    """Reject tasks whose files are in folders that are named after their class.

    Raises:
        HoldoutError: the path of a train row names its label.
    """
    spec, train = task.spec, task.train.rows
    shared = [column for column in task.test.columns if column in train.columns]
    sample = train.iloc[:: max(1, len(train) // _SAMPLE_ROWS)]
    labels = sample[spec.target[0]].str.strip()
    if labels.nunique() < 2:
        return
    for column in shared:
        cells = sample[column]
        if cells.str.contains("/", regex=False).mean() < _MOST:
            continue
        in_path = [label in PurePosixPath(cell).parts for label, cell in zip(labels, cells, strict=True)]
        if np.mean(in_path) > _MOST and (task.input / str(cells.iloc[0])).exists():
            msg = f"the paths in {column!r} name the class of their row"
            raise HoldoutError(msg)


def _find_keys(task: Task, frame: pd.DataFrame) -> list[str]:
    """Return the shared columns that identify rows of train."""
    spec = task.spec
    train = task.train.rows
    if spec.id is not None and spec.id in frame.columns and spec.id in train.columns:
        return [spec.id]
    hidden = {*spec.target, *spec.train_only}
    shared = [column for column in train.columns if column in frame.columns and column not in hidden]
    if shared and _join(train, shared).nunique() >= _MOST * len(train):
        return shared
    return []


def _leaky_columns(task: Task, frame: pd.DataFrame, keys: list[str]) -> list[str]:
    """List the columns that hold what a script must not see, and that the file does not have for the real test rows."""
    spec = task.spec
    test = task.test.rows
    hidden = {*spec.target, *spec.train_only}
    leaks = [column for column in frame.columns if column in hidden or _repeats_target(task, frame, column, keys)]
    if not keys or not set(keys) <= set(test.columns):
        return leaks
    test_keys = set(_join(test, keys))
    test_rows = frame[_join(frame, keys).isin(test_keys)]
    return [column for column in leaks if (test_rows[column] != "").sum() < _COVERED * len(test)]


def _repeats_target(task: Task, frame: pd.DataFrame, column: str, keys: list[str]) -> bool:
    """Return whether a column of another name is the target.

    It equals it more often than the most common label, or follows it as a straight line: rounded, or in another unit.
    """
    if not keys or column in keys:
        return False
    train = task.train.rows
    truth = pd.Series(canonical_labels(train[task.spec.target[0]]), index=_join(train, keys))
    truth = truth[~truth.index.duplicated()]
    labels = truth.reindex(_join(frame, keys)).to_numpy()
    labelled = ~pd.isna(labels)
    if labelled.sum() < _MIN_MATCHES or truth.nunique() < 2:
        return False
    if _follows(frame[column][labelled], labels[labelled]):
        return True
    equal = canonical_labels(frame[column])[labelled] == labels[labelled]
    commonest = float(truth.value_counts(normalize=True).iloc[0])
    return bool(equal.mean() > max(_MOST, commonest))


def _follows(cells: pd.Series, labels: np.ndarray) -> bool:
    """Return whether numbers in any style are a straight line of the labels."""
    style = find_style(cells[cells != ""].unique())
    values = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=float)
    numbers = read_numbers(cells, style) if style is not None else np.full(len(cells), np.nan)
    both = np.isfinite(values) & np.isfinite(numbers)
    if both.sum() < _MIN_MATCHES or np.ptp(values[both]) == 0 or np.ptp(numbers[both]) == 0:
        return False
    return bool(abs(np.corrcoef(values[both], numbers[both])[0, 1]) > _SAME_LINE)


def _join(frame: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return the cells of the key columns as one text per row."""
    first, *others = keys
    joined = frame[first]
    for key in others:
        joined = joined + "\x1f" + frame[key]
    return joined


def _reject_container(task: Task, path: Path) -> None:
    stem = PurePosixPath(task.spec.train).name.split(".")[0].lower()
    if path.suffix.lower() in _CONTAINERS and (path.name.lower().startswith(stem) or "label" in path.name.lower()):
        msg = f"{path.name} may hold the labels and cannot be filtered; leave it out of the input folder"
        raise HoldoutError(msg)


def _reject_mention(task: Task, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if any(name.encode() in head for name in task.spec.target):
        msg = f"{path.name} mentions the target and cannot be read as a table"
        raise HoldoutError(msg)
