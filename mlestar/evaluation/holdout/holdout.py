"""A holdout, and the rows of train that it may consist of."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mlestar.data.targets import labelled_mask, usable_mask
from mlestar.data.task import Task
from mlestar.evaluation.holdout.cutoff import MIN_ROWS
from mlestar.evaluation.holdout.shares import MAX_WITHHELD

# The limits below were chosen by judgement; none was measured.
_MIN_SHARE = 0.05
_SMALL_TABLE_DIVISOR = 10
"""Fresh rows are enough for a holdout if they are this share of train and `MIN_ROWS`, or one in ten of a small
table."""
_ENOUGH_ROWS = MAX_WITHHELD // 2
"""Fresh rows that are enough however long the table is."""
_EXAMPLE_SHARE, _MAX_EXAMPLES = 0.37, 997
"""Rows of the test file that an input without one gets: a share of the labelled rows that parts of train seldom have,
so that the length of a table says which rows it has, which the packager of the offline engineer relies on."""


@dataclass(frozen=True)
class Holdout:
    """One way to withhold rows; all arrays but `units` hold row numbers of the train table."""

    name: str
    train: np.ndarray
    withheld: np.ndarray
    units: np.ndarray
    """Resampling unit of each withheld row, aligned with `withheld`."""
    ids: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Made-up ids by the ids of train, where these reveal labels; empty where the real ones are staged."""
    new_ids: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Made-up ids of the withheld rows in their order, where rows are withheld several times; else empty."""

    @property
    def digest(self) -> str:
        """The sha256 of which rows are on which side."""
        sides = (np.asarray(rows, dtype=np.int64).tobytes() for rows in (self.train, self.withheld))
        return hashlib.sha256(b"|".join(sides)).hexdigest()

    def unseen_in(self, search: "Holdout") -> bool:
        """Return whether the search has none of the withheld rows, neither to train on nor to predict."""
        return not np.isin(self.withheld, np.concatenate([search.train, search.withheld])).any()


def holdout_name(number: int) -> str:
    """Return the name of a holdout; number 0 is that of the search."""
    return f"fresh{number}" if number else "holdout"


def fewest_rows(rows: int) -> float:
    """Return how many fresh rows are enough for a holdout."""
    return min(max(_MIN_SHARE * rows, min(MIN_ROWS, rows / _SMALL_TABLE_DIVISOR)), _ENOUGH_ROWS)


def labelled_rows(task: Task) -> np.ndarray:
    """Return a mask of the train rows whose targets are all filled in, as finite numbers where these are values."""
    return labelled_mask(task.spec, task.train.rows[list(task.spec.target)])


def learnable_rows(task: Task) -> np.ndarray:
    """Return a mask of the train rows that scripts are given: with a target, and none that is infinite."""
    return usable_mask(task.spec, task.train.rows[list(task.spec.target)])


def example_rows(task: Task) -> np.ndarray:
    """Return the rows of train that stand for test rows in the real input of a task without a test file."""
    labelled = np.flatnonzero(labelled_rows(task))
    return labelled[: min(math.ceil(len(labelled) * _EXAMPLE_SHARE), _MAX_EXAMPLES)]


def withheld_ids(task: Task, holdout: Holdout) -> pd.Series | None:
    """Return the withheld rows' ids as they are staged; None without one.

    They are those of train unless these reveal labels, and invented where only test has an id.
    """
    spec = task.spec
    train, test = task.train.rows, task.test.rows
    if spec.id is None:
        return None
    if holdout.new_ids:
        return pd.Series(holdout.new_ids, dtype=str)
    if spec.id in train.columns:
        real = train[spec.id].to_numpy()[holdout.withheld]
        return pd.Series([holdout.ids.get(cell, cell) for cell in real], dtype=str)
    numbers = pd.to_numeric(test[spec.id], errors="coerce")
    first = 0 if numbers.isna().any() else int(numbers.max()) + 1
    # Not the numbers of rows: they would tell where in train a row is.
    return pd.Series([str(first + place) for place in range(len(holdout.withheld))], dtype=str)
