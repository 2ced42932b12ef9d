"""Finding the column whose groups were kept on one side when the real test was made."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.clock import ID_WORDS, name_words, read_clock
from mlestar.evaluation.holdout.crossing import Crossing, count_crossing, encode
from mlestar.evaluation.holdout.rule import SplitRule, group_names

# The limits below were chosen by judgement; none was measured.
MAX_RATIO = 0.2
"""Share of the crossings of a random split that a grouped split may still have."""
MAX_LOG_P = log(1e-7)
"""A false alarm in fewer than one in a thousand tables of 10,000 columns and rules, by the union bound."""
_NESTED_LOG_P = log(1e-3)
"""The same for one pair of groupings, which chance alone seldom nests."""
_NESTED_SHARE = 0.98
"""Share of rows whose finer group must be in one coarser group."""
_MIN_TRAIN_GROUPS = 3
"""Groups of train below which there is nothing to withhold by."""
_RATIO_MARGIN = 0.01
"""Difference from the least ratio of crossings up to which groupings are equally good."""
_RULE_SHARE = 0.9
"""Share of cells that a rule must shorten."""
_MIN_FILLED = 0.5
"""Share of cells that a grouping column must have filled."""
_NEARLY_UNIQUE = 0.5
"""Different values per cell from which parts of cells are tried as groups."""
_STRENGTH = 0.5
"""Share of the strongest grouping's log p that others must reach."""
_SAMPLE_CELLS = 1000
"""Cells on which rules and kinds of columns are tried."""
_MAX_FRACTIONS = 0.01
_MAX_BLANKS = 4
_MAX_JSON = 0.5
"""Share of numbers with fractions, mean blanks and share of JSON from which cells are measures or text, not groups."""

_SEPARATORS = "_-/|:. "
_FRACTIONAL = re.compile(r"[+-]?\d*\.\d*[1-9]\d*(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Group:
    """A way to group rows, coded alike in train and test; -1 where a row has no group."""

    column: str
    rule: SplitRule | None
    train: np.ndarray
    test: np.ndarray
    crossing: Crossing

    @property
    def values(self) -> int:
        return self.crossing.train_values + self.crossing.test_values

    @property
    def named(self) -> bool:
        """The column is named like an identifier, not like a measured property that follows the group."""
        return bool(name_words(self.column) & ID_WORDS) or self.column.lower().endswith("id")

    def __str__(self) -> str:
        return self.column if self.rule is None else f"{self.column} ({self.rule})"


def find_group(train: pd.DataFrame, test: pd.DataFrame) -> Group | None:
    """Return the coarsest grouping that explains why test shares so few values with train."""
    shared = [column for column in test.columns if column in train.columns]
    groups = [group for column in shared for group in _groupings(train, test, column)]
    groups = [group for group in groups if _kept_apart(group.crossing)]
    if not groups:
        return None
    lowest = min(group.crossing.log_p for group in groups)
    strong = [group for group in groups if group.crossing.log_p <= _STRENGTH * lowest]
    least = min(group.crossing.ratio for group in strong)
    strong = [group for group in strong if group.crossing.ratio <= least + _RATIO_MARGIN]
    return _coarsest(sorted(strong, key=_fineness))


def _fineness(group: Group) -> tuple[int, bool, bool]:
    """Order groups from fine to coarse; of equal ones, identifiers and whole cells first."""
    return -group.values, not group.named, group.rule is not None


def list_rules(cells: pd.Series) -> Iterator[SplitRule]:
    """Yield the rules that shorten most cells of a column."""
    sample = cells[cells != ""].iloc[:: max(1, len(cells) // _SAMPLE_CELLS)]
    for separator in _SEPARATORS:
        counts = sample.str.count(re.escape(separator))
        if (counts > 0).mean() > _RULE_SHARE:
            yield SplitRule(part="before_first", separator=separator)
        if (counts > 1).mean() > _RULE_SHARE:
            yield SplitRule(part="before_last", separator=separator)
    if sample.str.match(r"\d+\D").mean() > _RULE_SHARE:
        yield SplitRule(part="leading_digits")


def _groupings(train: pd.DataFrame, test: pd.DataFrame, column: str) -> Iterator[Group]:
    """Yield a column's groupings: by whole cells, by the day of dates, by the parts of nearly unique cells."""
    cells = train[column]
    filled = cells[cells != ""]
    if len(filled) < _MIN_FILLED * len(cells) or _is_measure_or_text(filled):
        return
    rules: list[SplitRule | None] = [None]
    clock = read_clock(column, cells)
    if clock is not None and clock.dates:
        rules.append(SplitRule(part="day"))
    elif filled.nunique() > _NEARLY_UNIQUE * len(filled):
        rules += list_rules(filled)
    for rule in rules:
        codes = encode(group_names(column, cells, rule), group_names(column, test[column], rule))
        yield Group(column, rule, *codes, count_crossing(*codes))


def _is_measure_or_text(filled: pd.Series) -> bool:
    sample = filled.iloc[:: max(1, len(filled) // _SAMPLE_CELLS)]
    return bool(
        sample.str.fullmatch(_FRACTIONAL.pattern).mean() > _MAX_FRACTIONS
        or sample.str.count(r"\s+").mean() > _MAX_BLANKS
        or sample.str.match(r"\s*[\[{]").mean() > _MAX_JSON
    )


def _kept_apart(crossing: Crossing) -> bool:
    significant = crossing.log_p < MAX_LOG_P and crossing.ratio <= MAX_RATIO
    return significant and crossing.train_values >= _MIN_TRAIN_GROUPS


def _coarsest(finest_first: list[Group]) -> Group:
    """Step from the finest grouping to coarser ones while those explain more than chance does."""
    best, *others = finest_first
    for group in others:
        if _explains(group, best):
            best = group
    return best


def _explains(coarse: Group, fine: Group) -> bool:
    """Return whether whole coarse groups were put on one side, rather than each fine group by itself.

    A column that only follows the split unit (the age of a speaker) crosses as often as chance among units predicts.
    """
    sides: list[np.ndarray] = []
    nested = 1.0
    for units, names in ((fine.train, coarse.train), (fine.test, coarse.test)):
        grouped = (units >= 0) & (names >= 0)
        units, names = units[grouped], names[grouped]
        _, first, inverse = np.unique(units, return_index=True, return_inverse=True)
        share = float((names[first][inverse] == names).mean()) if len(units) else 0.0
        nested = min(nested, share)
        sides.append(names[first])
    return nested >= _NESTED_SHARE and count_crossing(*sides).log_p < _NESTED_LOG_P
