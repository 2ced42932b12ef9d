"""Train and test as one table, in which each column is read once."""

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.clock import Clock, sample_cells
from mlestar.evaluation.holdout.rule import SplitRule, column_clock, group_names

SAMPLE_ROWS = 200_000
"""Rows of train and test together on which splits are compared. Chosen by judgement; not measured."""

# The limits below were chosen by judgement; none was measured.
_MAX_FRACTIONS = 0.01
_MAX_BLANKS = 4
_MAX_JSON = 0.5
"""Share of numbers with fractions, mean blanks and share of JSON from which cells are measures or text, not groups."""
_MIN_FILLED = 0.5
"""Share of cells that a grouping column must have filled."""
_SAMPLE_CELLS = 200
"""Cells on which the kind of a column is decided."""
_NUMBER_SHARE = 0.9
_MIN_VALUES = 20
"""Share of numbers, and different values in the sample, from which a column is one of numbers."""
_CACHED_CELLS = 4_000_000
"""Cells of a table up to which the numbers of its values are kept."""

_FRACTIONAL = re.compile(r"[+-]?\d*\.\d*[1-9]\d*(?:[eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_JSON = re.compile(r"\s*[\[{]")


@dataclass(frozen=True)
class Pooled:
    """The columns that train and test share, rows of train first; a sample where there are many rows."""

    frame: pd.DataFrame
    train_rows: int
    """Number of rows that are from train."""
    id: str | None
    whole: bool
    """Every row of both files is there."""
    _clocks: dict[tuple[str, SplitRule | None], Clock | None] = field(default_factory=dict, repr=False)
    _kinds: dict[str, str] = field(default_factory=dict, repr=False)
    _samples: dict[str, list[str]] = field(default_factory=dict, repr=False)
    _codes: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @cached_property
    def _cells(self) -> dict[str, pd.Series]:
        return dict(zip(self.columns, (column for _, column in self.frame.items()), strict=True))

    @cached_property
    def _is_small(self) -> bool:
        return self.frame.size <= _CACHED_CELLS

    @property
    def columns(self) -> list[str]:
        return list(self.frame.columns)

    @property
    def test_rows(self) -> int:
        return len(self.frame) - self.train_rows

    def clock(self, column: str, rule: SplitRule | None = None) -> Clock | None:
        """Return the column as points in time, read once; None where it is none."""
        if (column, rule) not in self._clocks:
            self._clocks[column, rule] = column_clock(column, self._cells[column], rule)
        return self._clocks[column, rule]

    def kind(self, column: str) -> str:
        """Return what the cells are: `real`, `text`, `sparse`, or `value` for everything that can name a group."""
        if column not in self._kinds:
            self._kinds[column] = _find_kind(self._cells[column], self.sample(column))
        return self._kinds[column]

    def codes(self, column: str, rule: SplitRule | None = None) -> np.ndarray:
        """Number the groups that the cells name; -1 where a cell names none."""
        if rule is not None:
            return _number(group_names(column, self._cells[column], rule))
        if column in self._codes:
            return self._codes[column]
        codes = _number(self._cells[column])
        if self._is_small:
            self._codes[column] = codes
        return codes

    def sides(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Divide values of all rows into those of train and those of test."""
        return values[: self.train_rows], values[self.train_rows :]

    @cached_property
    def number_columns(self) -> list[str]:
        """List the columns of numbers with many different values, the most different first."""
        counts: dict[str, int] = {}
        for column in self.columns:
            sample = self.sample(column)
            if (values := len(set(sample))) >= _MIN_VALUES and _are_numbers(sample):
                counts[column] = values
        return sorted(counts, key=lambda column: -counts[column])

    def sample(self, column: str) -> list[str]:
        """Return some filled cells, read once."""
        if column not in self._samples:
            self._samples[column] = sample_cells(self._cells[column], _SAMPLE_CELLS)
        return self._samples[column]

    def mean_length(self, column: str) -> float:
        """Return the mean length of the filled cells."""
        sample = self.sample(column)
        return sum(map(len, sample)) / max(len(sample), 1)


def pool(train: pd.DataFrame, test: pd.DataFrame, row_id: str | None, rows: int = SAMPLE_ROWS) -> Pooled:
    """Put the shared columns of train and test into one table of at most about `rows` rows."""
    shared = [column for column in test.columns if column in train.columns]
    share = min(1.0, rows / max(len(train) + len(test), 1))
    parts = [train[shared], test[shared]]
    if share < 1:
        # Sorted, so that rows stay in the order of the files.
        parts = [part.sample(frac=share, random_state=0).sort_index() for part in parts]
    return Pooled(pd.concat(parts, ignore_index=True), len(parts[0]), row_id, share == 1)


def _number(names: pd.Series) -> np.ndarray:
    """Number equal names alike; -1 for empty ones."""
    codes, values = pd.factorize(names)
    empty = np.flatnonzero(np.asarray(values) == "")
    return np.asarray(np.where(codes == empty[0], -1, codes) if len(empty) else codes)


def _are_numbers(sample: list[str]) -> bool:
    return sum(_NUMBER.fullmatch(cell) is not None for cell in sample) > _NUMBER_SHARE * len(sample)


def _find_kind(cells: pd.Series, sample: list[str]) -> str:
    if not sample or (len(sample) < len(cells) and (cells != "").mean() < _MIN_FILLED):
        return "sparse"
    if sum(_FRACTIONAL.fullmatch(cell) is not None for cell in sample) > _MAX_FRACTIONS * len(sample):
        return "real" if _are_numbers(sample) else "text"
    blanks = sum(len(cell.split()) - 1 for cell in sample)
    json = sum(_JSON.match(cell) is not None for cell in sample)
    return "text" if blanks > _MAX_BLANKS * len(sample) or json > _MAX_JSON * len(sample) else "value"
