"""Paths in a column that name the class of their row."""

from pathlib import PurePosixPath

import numpy as np

from mlestar.data.task import Task
from mlestar.errors import HoldoutError

# The limits below were chosen by judgement; none was measured.
_MOST = 0.9
"""Share of rows from which paths count as folders of classes."""
_SAMPLE_ROWS = 200
"""Rows of train whose paths are checked."""


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
