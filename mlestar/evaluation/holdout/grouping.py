"""Finding the column whose groups were kept on one side when the real test was made."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.clock import ID_WORDS, name_words
from mlestar.evaluation.holdout.crossing import Crossing, count_crossing
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.rule import SEPARATORS, SplitRule

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
_NEARLY_UNIQUE = 0.5
"""Different values per cell from which parts of cells are tried as groups."""
_STRENGTH = 0.5
"""Share of the strongest grouping's log p that others must reach."""
_SAMPLE_CELLS = 1000
"""Cells on which rules and kinds of columns are tried."""
_MAX_TOKENS = 8
"""Parts of a cell that are tried as groups, from either end."""


@dataclass(frozen=True)
class Group:
    """A way to group rows, coded alike in train and test; -1 where a row has no group."""

    columns: tuple[str, ...]
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
        return any(is_named_id(column) for column in self.columns)

    def __str__(self) -> str:
        name = " + ".join(self.columns)
        return name if self.rule is None else f"{name} ({self.rule})"


def is_named_id(column: str) -> bool:
    """Return whether a column is named like an identifier."""
    return bool(name_words(column) & ID_WORDS) or column.lower().endswith("id")


def find_group(pooled: Pooled) -> Group | None:
    """Return the coarsest grouping that explains why test shares so few values with train."""
    return coarsest_group(group for column in pooled.columns for group in _groupings(pooled, column))


def coarsest_group(candidates: Iterable[Group]) -> Group | None:
    """Return the coarsest of the groupings that are kept apart; None where none is."""
    groups = [group for group in candidates if kept_apart(group.crossing)]
    if not groups:
        return None
    lowest = min(group.crossing.log_p for group in groups)
    strong = [group for group in groups if group.crossing.log_p <= _STRENGTH * lowest]
    least = min(group.crossing.ratio for group in strong)
    strong = [group for group in strong if group.crossing.ratio <= least + _RATIO_MARGIN]
    return _coarsest(sorted(strong, key=_fineness))


def make_group(pooled: Pooled, columns: tuple[str, ...], rule: SplitRule | None, codes: np.ndarray) -> Group:
    """Count how often the groups of these codes are on both sides."""
    train, test = pooled.sides(codes)
    return Group(columns, rule, train, test, count_crossing(train, test))


def _fineness(group: Group) -> tuple[int, bool, bool]:
    """Order groups from fine to coarse; of equal ones, identifiers and whole cells first."""
    return -group.values, not group.named, group.rule is not None


def list_rules(cells: pd.Series) -> Iterator[SplitRule]:
    """Yield the rules that shorten most cells of a column: text before separators, and the parts between them."""
    sample = cells[cells != ""].iloc[:: max(1, len(cells) // _SAMPLE_CELLS)]
    for separator in SEPARATORS:
        counts = sample.str.count(re.escape(separator))
        if (counts > 0).mean() > _RULE_SHARE:
            yield SplitRule(part="before_first", separator=separator)
        if (counts > 1).mean() > _RULE_SHARE:
            yield SplitRule(part="before_last", separator=separator)
    if sample.str.match(r"\d+\D").mean() > _RULE_SHARE:
        yield SplitRule(part="leading_digits")
    # A part is counted from whichever end all cells have it.
    lengths = sample.map(lambda cell: len(re.split(f"[{re.escape(SEPARATORS)}]+", cell)))
    if lengths.nunique() == 1:
        yield from (SplitRule(part="token", index=index) for index in range(1, min(int(lengths.max()), _MAX_TOKENS)))
    elif len(lengths):
        fewest = min(int(lengths.quantile(1 - _RULE_SHARE)), _MAX_TOKENS)
        yield from (SplitRule(part="token", index=index) for index in range(1, fewest))
        yield from (SplitRule(part="token", index=-index) for index in range(1, fewest))


def _groupings(pooled: Pooled, column: str) -> Iterator[Group]:
    """Yield a column's groupings: by whole cells, by the day of dates, by the parts of nearly unique cells."""
    if pooled.kind(column) != "value":
        return
    codes = pooled.codes(column)
    yield make_group(pooled, (column,), None, codes)
    for rule in part_rules(pooled, column, codes):
        yield make_group(pooled, (column,), rule, pooled.codes(column, rule))


def part_rules(pooled: Pooled, column: str, codes: np.ndarray) -> list[SplitRule]:
    """List the parts of a column's cells that may name groups where the whole cells, numbered by `codes`, do not."""
    clock = pooled.clock(column)
    if clock is not None and clock.dates:
        return [SplitRule(part="day")]
    if codes.max(initial=-1) + 1 > _NEARLY_UNIQUE * (codes >= 0).sum():
        return list(list_rules(pooled.frame[column]))
    return []


def kept_apart(crossing: Crossing) -> bool:
    significant = crossing.log_p < MAX_LOG_P and crossing.ratio <= MAX_RATIO
    return significant and crossing.train_values >= _MIN_TRAIN_GROUPS


def _coarsest(finest_first: list[Group]) -> Group:
    """Step from the finest grouping to coarser ones while those explain more than chance does."""
    best, *others = finest_first
    for group in others:
        if explains(group, best):
            best = group
    return best


def explains(coarse: Group, fine: Group) -> bool:
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
