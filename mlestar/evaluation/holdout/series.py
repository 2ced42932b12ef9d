"""Finding series that continue in test: of each patient, store or sensor, test has the rows after those of train.

Under a random split, the m test rows of a series come after its n train rows with the chance 1 / C(n + m, m). The
number of series in order is compared with that, its upper tail bounded as in `crossing.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.clock import TIME_WORDS, Clock, name_words, read_numbers
from mlestar.evaluation.holdout.crossing import log_choose, log_tail
from mlestar.evaluation.holdout.grouping import MAX_LOG_P, is_named_id, part_rules
from mlestar.evaluation.holdout.period import TimeColumns
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.rule import SplitRule

# The limits below were chosen by judgement; none was measured.
_MIN_ORDERED = 0.95
"""Share of the test rows of known series that must come after their series' rows of train."""
_MIN_CONTINUED = 0.5
"""Share of all test rows whose series must be in train."""
_MIN_SERIES = 3
"""Series that must continue."""
_MAX_MISSING = 0.05
"""Share of rows without a time or a series up to which they divide train from test."""
_MAX_GROUPS, _MAX_TIMES, _MAX_PAIRED = 20, 30, 8
"""Groups and times that are tried together, and columns that are tried in pairs."""
_RANK_OF_NUMBERS = 4
"""Place of numbers with fractions among times: after everything that is named or written like one."""
_SHARE_MARGIN = 0.02
"""Difference in the share of continued rows up to which groupings are equally good."""
_TILTS = np.concatenate([np.geomspace(1e-3, 80.0, 120), [800.0]])


@dataclass(frozen=True)
class Names:
    """A way to name series: columns or a part of one, and the number of each row's series; -1 where it has none."""

    columns: tuple[str, ...]
    rule: SplitRule | None
    codes: np.ndarray


@dataclass(frozen=True)
class SeriesSplit:
    """Series of which test has the last rows."""

    names: Names
    times: tuple[str, ...]
    time_rule: SplitRule | None
    clock: Clock
    continued: int
    """Series in both files whose test rows come after those of train."""
    shared: int
    """Series in both files."""
    continued_rows: float
    """Share of the test rows whose series is in train."""
    log_p: float
    rank: int
    """How much the time column looks like a time: dates, then names of times, then counters, then ids."""

    def __str__(self) -> str:
        return describe_columns(self.names.columns, self.names.rule)


def describe_columns(columns: tuple[str, ...], rule: SplitRule | None) -> str:
    """Return the name of one column or several, with the part of the cells that counts."""
    name = " + ".join(columns)
    return name if rule is None else f"{name} ({rule})"


def find_series(pooled: Pooled, times: list[TimeColumns]) -> SeriesSplit | None:
    """Return the series that explain most rows of test; None where test does not continue series."""
    clocks = _rank_clocks(pooled, times)
    if not clocks:
        return None
    names = _list_names(pooled)
    found = [split for name in names for split in _continuing(pooled, name, clocks)]
    if not found:
        pairs = _pair_names([name for name in names if name.rule is None][:_MAX_PAIRED])
        found = [split for name in pairs for split in _continuing(pooled, name, clocks)]
    most = max((split.continued_rows for split in found), default=0.0)
    found = [split for split in found if split.continued_rows >= most - _SHARE_MARGIN]
    return min(found, key=lambda split: (split.rank, split.log_p), default=None)


_RankedClock = tuple[int, tuple[str, ...], SplitRule | None, Clock]
"""How much a column looks like a time, its columns and rule, and its times."""


def _rank_clocks(pooled: Pooled, times: list[TimeColumns]) -> list[_RankedClock]:
    ranked: list[_RankedClock] = []
    for columns, rule, clock in times:
        train, test = pooled.sides(clock.values)
        if np.isnan(clock.values).mean() > _MAX_MISSING or not len(test):
            continue
        # Numbers that are all larger in test number the rows of the files, first train, then test.
        if np.nanmin(test) > np.nanmax(train):
            continue
        named = bool(name_words(columns[0]) & TIME_WORDS)
        rank = 0 if clock.dates else 1 if named else 3 if columns[0] == pooled.id or is_named_id(columns[0]) else 2
        ranked.append((rank, columns, rule, clock))
    for column in pooled.number_columns:
        if pooled.kind(column) == "real" and pooled.clock(column) is None:
            ranked.append((_RANK_OF_NUMBERS, (column,), None, Clock(read_numbers(pooled.frame[column]), dates=False)))
    return sorted(ranked, key=lambda item: (item[0], -len(np.unique(item[3].values))))[:_MAX_TIMES]


def _list_names(pooled: Pooled) -> list[Names]:
    """List the columns and parts of cells that name series with rows in both files, identifiers first."""
    names: list[Names] = []
    for column in sorted(pooled.columns, key=lambda column: not is_named_id(column)):
        if len(names) >= _MAX_GROUPS:
            break
        if pooled.kind(column) != "value":
            continue
        codes = pooled.codes(column)
        candidates = [Names((column,), None, codes)]
        rules = (rule for rule in part_rules(pooled, column, codes) if rule.part != "day")
        candidates += [Names((column,), rule, pooled.codes(column, rule)) for rule in rules]
        names += [name for name in candidates if _repeats(pooled, name.codes)]
    return names


def _repeats(pooled: Pooled, codes: np.ndarray) -> bool:
    train, test = pooled.sides(codes)
    width = int(codes.max(initial=-1)) + 1
    if (codes < 0).mean() > _MAX_MISSING or not width:
        return False
    in_train = np.bincount(train[train >= 0], minlength=width)
    in_test = np.bincount(test[test >= 0], minlength=width)
    shared = (in_train > 0) & (in_test > 0)
    return bool(shared.sum() >= _MIN_SERIES and in_test[shared].sum() >= _MIN_CONTINUED * len(test))


def _pair_names(names: list[Names]) -> Iterator[Names]:
    for first, second in combinations(names, 2):
        codes = pair_codes(first.codes, second.codes)
        yield Names((*first.columns, *second.columns), None, codes)


def pair_codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the pairs of two numberings; -1 where either is."""
    joined = first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second
    codes = np.full(len(first), -1)
    complete = (first >= 0) & (second >= 0)
    codes[complete] = pd.factorize(joined[complete])[0]
    return codes


def _continuing(pooled: Pooled, names: Names, clocks: list[_RankedClock]) -> Iterator[SeriesSplit]:
    """Yield the times by which these series continue in test."""
    columns = [clock for clock in clocks if set(clock[1]) - set(names.columns) or clock[2] != names.rule]
    if not columns:
        return
    values = pd.DataFrame(np.column_stack([clock.values for *_, clock in columns]))
    train, test = pooled.sides(names.codes)
    last = values.iloc[: len(train)].groupby(train).max()
    by_series = values.iloc[len(train) :].groupby(test)
    both = last.index.intersection(by_series.size().index)
    both = both[both >= 0]
    if len(both) < _MIN_SERIES:
        return
    rows = by_series.size().loc[both].to_numpy()
    train_rows = pd.Series(train).value_counts().loc[both].to_numpy()
    last, first, end = last.loc[both], by_series.min().loc[both], by_series.max().loc[both]
    log_order = np.array([-log_choose(int(n + m), int(m)) for n, m in zip(train_rows, rows, strict=True)])
    continued_rows = rows.sum() / max(len(test), 1)
    for place, (rank, times, rule, clock) in enumerate(columns):
        strictly = (first[place] > last[place]).to_numpy()
        # Times may be coarse, so that the day of the cut is in both files.
        coarse = ((first[place] >= last[place]) & (end[place] > last[place])).to_numpy() if rank < 2 else strictly
        if (coarse * rows).sum() < _MIN_ORDERED * rows.sum() or coarse.sum() < _MIN_SERIES:
            continue
        log_p = _log_chance(log_order, int(strictly.sum()))
        if log_p < MAX_LOG_P and continued_rows >= _MIN_CONTINUED:
            yield SeriesSplit(names, times, rule, clock, int(coarse.sum()), len(both), continued_rows, log_p, rank)


def _log_chance(log_order: np.ndarray, observed: int) -> float:
    """Return the log of a bound on the chance of so many series in order under a random split."""
    with np.errstate(divide="ignore"):
        log_disorder = np.log(-np.expm1(np.minimum(log_order, -1e-12)))
    return log_tail(log_disorder, log_order, np.ones(len(log_order)), observed, _TILTS)
