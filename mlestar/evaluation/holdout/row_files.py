"""Files of single rows that a holdout does not have."""

from collections.abc import Iterable

import numpy as np

from mlestar.data.layouts.assets import FileIndex, FileNames
from mlestar.data.task import Task
from mlestar.evaluation.holdout.holdout import Holdout


def files_of_absent_rows(task: Task, holdout: Holdout) -> set[str]:
    """Return the files of rows that are neither in train nor withheld, in folders that train and test share.

    A file that a row of train, a withheld row or a real test row names too is not among them.
    """
    frame = task.train.rows
    absent = np.ones(len(frame), dtype=bool)
    absent[holdout.train] = absent[holdout.withheld] = False
    files = [file for file in task.layout.other_files if not task.layout.owns(file)]
    if not absent.any() or not any("/" in file for file in files):
        return set()
    index = FileIndex(files)
    columns = [column for column in frame.columns if column not in task.spec.target]
    names: set[str] = set()
    for way in index.find_names(frame, columns):
        cells, test = frame[way.column], task.test.rows
        others = [*cells[~absent], *test.get(way.column, [])]
        names |= _files(index, way, cells[absent]) - _files(index, way, others)
    return names


def _files(index: FileIndex, way: FileNames, cells: Iterable[str]) -> set[str]:
    return {file for cell in cells for file in index.files(way, str(cell))}
