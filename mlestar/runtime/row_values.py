"""The ids and labels of the train rows, for the check of scripts that memorise them."""

import numpy as np

from mlestar.agents.memorizing import RowValues, row_keys
from mlestar.data.task import Task
from mlestar.evaluation import Holdout
from mlestar.evaluation.holdout.holdout import labelled_rows


def read_row_values(task: Task, holdout: Holdout | None) -> RowValues | None:
    """Return the ids and labels of the labelled train rows; None where labels cannot be located.

    The ids are those that the scripts of a search see, which are made-up ones where a holdout has such.
    """
    spec = task.spec
    if not task.labelled:
        return None
    rows = np.flatnonzero(labelled_rows(task))
    frame = task.train.rows.iloc[rows]
    made_up = holdout.ids if holdout else {}
    parts = (holdout.train, holdout.withheld) if holdout else ()
    return RowValues(
        ids=row_keys(made_up.get(cell, cell) for cell in frame[spec.id]) if spec.id in frame.columns else (),
        labels=tuple(row_keys(frame[name]) for name in spec.target),
        orders=tuple(tuple(np.flatnonzero(np.isin(rows, part)).tolist()) for part in parts),
        classes=spec.problem in ("binary", "multiclass", "ordinal", "multilabel"),
    )
