"""Other files of the input folder: what they tell about held-out rows must not be staged."""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.task import Task
from mlestar.errors import HoldoutError, TaskError
from mlestar.metrics import canonical_labels

_CONTAINERS = (".zip", ".tar", ".tgz", ".7z", ".npz", ".npy", ".pkl", ".h5", ".feather", ".xlsx", ".sqlite", ".db")
_SAME = 0.9


def safe_rows(task: Task, kept: np.ndarray, path: Path) -> tuple[Table, np.ndarray] | None:
    """Return a table file and the rows of it to stage; None when the file can be staged as it is.

    A row goes when it names a train row outside `kept` (the row numbers that stay in train) and gives its target, or a
    train-only field, and the file does not give that for the real test rows.

    Raises:
        HoldoutError: the file holds labels and it cannot be decided whose.
    """
    if not is_table(path):
        _refuse_container(task, path)
        return None
    try:
        table = read_table(path)
    except TaskError:
        _refuse_mention(task, path)
        return None
    train = task.table(task.spec.train).frame
    keys = _keys(task, table.frame)
    telling = _telling_columns(task, table.frame, keys)
    if not telling:
        return None
    if not keys:
        if not set(telling) & set(task.spec.target):
            return None
        msg = f"{path.name} holds the column {telling[0]!r} and no key that says for which rows"
        raise HoldoutError(msg)
    withheld = np.setdiff1d(np.arange(len(train)), kept)
    named = set(_joined(train.iloc[withheld], keys))
    safe = np.flatnonzero(~_joined(table.frame, keys).isin(named).to_numpy())
    return (table, safe) if len(safe) < len(table) else None


def refuse_telling_paths(task: Task) -> None:
    """Refuse tasks whose files lie in folders named after their class.

    Raises:
        HoldoutError: the path of a train row names its label.
    """
    spec, table = task.spec, task.table(task.spec.train)
    shared = [column for column in task.table(spec.test).columns if column in table.columns]
    sample = table.frame.iloc[:: max(1, len(table) // 200)]
    labels = sample[spec.target[0]].str.strip()
    for column in shared:
        cells = sample[column]
        if labels.nunique() < 2 or cells.str.contains("/", regex=False).mean() < _SAME:
            continue
        named = [label in PurePosixPath(cell).parts for label, cell in zip(labels, cells, strict=True)]
        if np.mean(named) > _SAME and (task.input / str(cells.iloc[0])).exists():
            msg = f"the paths in {column!r} name the class of their row"
            raise HoldoutError(msg)


def _keys(task: Task, frame: pd.DataFrame) -> list[str]:
    """Return the shared columns by which rows of another table name rows of train."""
    spec = task.spec
    train = task.table(spec.train).frame
    if spec.id is not None and spec.id in frame.columns and spec.id in train.columns:
        return [spec.id]
    hidden = {*spec.target, *spec.train_only}
    shared = [column for column in train.columns if column in frame.columns and column not in hidden]
    return shared if shared and _joined(train, shared).nunique() >= _SAME * len(train) else []


def _telling_columns(task: Task, frame: pd.DataFrame, keys: list[str]) -> list[str]:
    """List the columns that give what a script must not see, and that the real test rows do not have here."""
    spec = task.spec
    test = task.table(spec.test).frame
    hidden = {*spec.target, *spec.train_only}
    found = [column for column in frame.columns if column in hidden or _repeats_target(task, frame, column, keys)]
    if not keys or not set(keys) <= set(test.columns):
        return found
    wanted = set(_joined(test, keys))
    about_test = frame[_joined(frame, keys).isin(wanted)]
    return [column for column in found if (about_test[column] != "").sum() < len(test) / 2]


def _repeats_target(task: Task, frame: pd.DataFrame, column: str, keys: list[str]) -> bool:
    """Tell whether a column under another name is the target."""
    if not keys or column in keys:
        return False
    train = task.table(task.spec.train).frame
    truth = pd.Series(canonical_labels(train[task.spec.target[0]]), index=_joined(train, keys))
    truth = truth[~truth.index.duplicated()]
    named = truth.reindex(_joined(frame, keys)).to_numpy()
    known = ~pd.isna(named)
    if known.sum() < 20 or truth.nunique() < 2:
        return False
    cells = canonical_labels(frame[column])
    return bool((cells[known] == named[known]).mean() > max(_SAME, float(truth.value_counts(normalize=True).iloc[0])))


def _joined(frame: pd.DataFrame, keys: list[str]) -> pd.Series:
    first, *others = keys
    joined = frame[first]
    for key in others:
        joined = joined + "\x1f" + frame[key]
    return joined


def _refuse_container(task: Task, path: Path) -> None:
    stem = PurePosixPath(task.spec.train).name.split(".")[0].lower()
    if path.suffix.lower() in _CONTAINERS and (path.name.lower().startswith(stem) or "label" in path.name.lower()):
        msg = f"{path.name} may hold the labels and cannot be filtered; leave it out of the input folder"
        raise HoldoutError(msg)


def _refuse_mention(task: Task, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(65_536)
    if any(name.encode() in head for name in task.spec.target):
        msg = f"{path.name} mentions the target and cannot be read as a table"
        raise HoldoutError(msg)
