"""Whether rows with a label lack features as often as those of the test, where some rows of train have no label.

Sensors that fail together leave rows without target and features. Such rows cannot be withheld, though the test may
have them: then no holdout shows how a script does there.
"""

import numpy as np
import pandas as pd

from mlestar.data.missing import equals_code
from mlestar.data.statistics import MISSING
from mlestar.data.targets import labelled_mask
from mlestar.data.task import Task

# The limits below were chosen by judgement; none was measured.
_MAX_COLUMNS, _MAX_ROWS = 64, 20_000
"""Columns and rows that are compared."""
_MIN_DIFFERENCE = 0.02
"""Difference in the share of missing cells that matters."""
_MIN_ERRORS = 5.0
"""The same in standard errors."""


def gap_notes(task: Task) -> tuple[str, ...]:
    """Name the feature that the test lacks most often in comparison with rows that have a label."""
    train, test = task.train.rows, task.test.rows
    labelled = labelled_mask(task.spec, train[list(task.spec.target)])
    if labelled.all() or not labelled.any() or not len(test):
        return ()
    shares: dict[str, tuple[float, float]] = {}
    codes = {column.name: column.missing_codes for file in task.statistics[:1] for column in file.columns}
    for column in [name for name in test.columns if name in train.columns][:_MAX_COLUMNS]:
        known = codes.get(column, ())
        in_train, in_test = _share(train[column][labelled], known), _share(test[column], known)
        if _differ(in_train, in_test, min(int(labelled.sum()), _MAX_ROWS), min(len(test), _MAX_ROWS)):
            shares[column] = (in_train, in_test)
    if not shares:
        return ()
    column, (in_train, in_test) = max(shares.items(), key=lambda item: item[1][1] - item[1][0])
    return (
        f"{column} is missing in {in_test:.0%} of the test rows, but in {in_train:.0%} of the rows with a label: "
        "scores on withheld rows may be better than that of the test",
    )


def _share(cells: pd.Series, codes: tuple[str, ...]) -> float:
    """Return the share of cells that are missing or a code for it, in rows at equal distances."""
    counts = cells.iloc[:: max(1, -(-len(cells) // _MAX_ROWS))].value_counts()
    values = [str(value) for value in counts.index]
    missing = np.array([value.strip() in MISSING for value in values]) | equals_code(values, codes)
    return float(counts.to_numpy()[missing].sum() / counts.sum())


def _differ(in_train: float, in_test: float, train_rows: int, test_rows: int) -> bool:
    difference = in_test - in_train
    pooled = (in_train * train_rows + in_test * test_rows) / (train_rows + test_rows)
    error = np.sqrt(pooled * (1 - pooled) * (1 / train_rows + 1 / test_rows))
    return difference > _MIN_DIFFERENCE and difference > _MIN_ERRORS * float(error)
