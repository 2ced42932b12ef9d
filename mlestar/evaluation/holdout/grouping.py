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

MAX_RATIO = 0.2
"""Of the crossings that a random split would give."""
MAX_LOG_P = log(1e-7)
"""Small enough for thousands of columns."""
_NESTED_LOG_P = log(1e-3)
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
        """The column's name says that it names something, as against a measured property that follows the group."""
        return bool(name_words(self.column) & ID_WORDS) or self.column.lower().endswith("id")

    def __str__(self) -> str:
        return self.column if self.rule is None else f"{self.column} ({self.rule})"


def find_group(train: pd.DataFrame, test: pd.DataFrame) -> Group | None:
    """Return the coarsest grouping that explains why test shares so few values with train."""
    found = [group for column in test.columns if column in train.columns for group in _groupings(train, test, column)]
    found = [group for group in found if _kept_apart(group.crossing)]
    if not found:
        return None
    most = min(group.crossing.log_p for group in found)
    strong = [group for group in found if group.crossing.log_p <= most / 2]
    least = min(group.crossing.ratio for group in strong)
    strong = [group for group in strong if group.crossing.ratio <= least + 0.01]
    return _climb(sorted(strong, key=lambda group: (-group.values, not group.named, group.rule is not None)))


def prefix_rules(cells: pd.Series) -> Iterator[SplitRule]:
    """List the rules that shorten most cells of a column."""
    sample = cells[cells != ""].iloc[:: max(1, len(cells) // 1000)]
    for separator in _SEPARATORS:
        counts = sample.str.count(re.escape(separator))
        if (counts > 0).mean() > 0.9:
            yield SplitRule(part="before_first", separator=separator)
        if (counts > 1).mean() > 0.9:
            yield SplitRule(part="before_last", separator=separator)
    if sample.str.match(r"\d+\D").mean() > 0.9:
        yield SplitRule(part="leading_digits")


def _groupings(train: pd.DataFrame, test: pd.DataFrame, column: str) -> Iterator[Group]:
    cells = train[column]
    filled = cells[cells != ""]
    if len(filled) < len(cells) / 2 or _is_measure_or_text(filled):
        return
    rules: list[SplitRule | None] = [None]
    if (clock := read_clock(column, cells)) is not None and clock.dates:
        rules.append(SplitRule(part="day"))
    elif filled.nunique() > 0.5 * len(filled):
        rules += prefix_rules(filled)
    for rule in rules:
        codes = encode(group_names(column, cells, rule), group_names(column, test[column], rule))
        yield Group(column, rule, *codes, count_crossing(*codes))


def _is_measure_or_text(filled: pd.Series) -> bool:
    sample = filled.iloc[:: max(1, len(filled) // 1000)]
    return bool(
        sample.str.fullmatch(_FRACTIONAL.pattern).mean() > 0.01
        or sample.str.count(r"\s+").mean() > 4
        or sample.str.match(r"\s*[\[{]").mean() > 0.5
    )


def _kept_apart(crossing: Crossing) -> bool:
    return crossing.log_p < MAX_LOG_P and crossing.ratio <= MAX_RATIO and crossing.train_values >= 3


def _climb(finest_first: list[Group]) -> Group:
    """Step from the finest grouping to coarser ones while those explain more than chance does."""
    best, *others = finest_first
    for group in others:
        if _explains(group, best):
            best = group
    return best


def _explains(coarse: Group, fine: Group) -> bool:
    """Were the fine groups dealt out by the coarse one, rather than each by itself?

    A column that merely follows the split unit (the age of a speaker) crosses no more than chance among units does.
    """
    sides, nested = [], 1.0
    for units, names in ((fine.train, coarse.train), (fine.test, coarse.test)):
        units, names = units[(units >= 0) & (names >= 0)], names[(units >= 0) & (names >= 0)]
        _, first, inverse = np.unique(units, return_index=True, return_inverse=True)
        nested = min(nested, float((names[first][inverse] == names).mean()) if len(units) else 0.0)
        sides.append(names[first])
    return nested >= 0.98 and count_crossing(*sides).log_p < _NESTED_LOG_P
