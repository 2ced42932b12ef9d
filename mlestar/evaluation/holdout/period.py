"""Finding a column whose test values all come after those of train."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.clock import ID_WORDS, TIME_WORDS, Clock, name_words
from mlestar.evaluation.holdout.rule import SplitRule, column_clock

# The limits below were chosen by judgement; none was measured.
_MAX_MISSING = 0.05
"""Share of rows without a time up to which a column divides train from test."""
_MIN_TEST_ROWS = 5
_MIN_TRAIN_TIMES = 3
"""Rows of test and different times of train below which an order is chance."""
_MIN_REPEATS = 2
"""Mean rows per value from which a counter without a name of time may count time: several rows at one time."""


@dataclass(frozen=True)
class Period:
    """A column whose test values all come after those of train."""

    column: str
    rule: SplitRule | None
    train: Clock
    test: Clock


def require_clock(column: str, cells: pd.Series, rule: SplitRule | None) -> Clock:
    """Read the time column of a plan.

    Raises:
        HoldoutError: it holds neither dates nor whole numbers.
    """
    clock = column_clock(column, cells, rule)
    if clock is None:
        msg = f"column {column!r} holds neither dates nor whole numbers: name another time column in task.toml"
        raise HoldoutError(msg)
    return clock


def find_period(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> Period | None:
    """Return the finest date column, else the finest counter of time, that divides train from test."""
    periods: list[Period] = []
    for column in test.columns:
        if column not in train.columns:
            continue
        period = _read(column, None, train, test)
        if period is None and column == spec.id:
            period = _read(column, SplitRule(part="date"), train, test)
        if period and _comes_after(period) and (period.train.dates or _counts_time(period)):
            periods.append(period)
    return max(periods, key=lambda period: (period.train.dates, len(np.unique(period.train.values))), default=None)


def _read(column: str, rule: SplitRule | None, train: pd.DataFrame, test: pd.DataFrame) -> Period | None:
    train_clock = column_clock(column, train[column], rule)
    test_clock = column_clock(column, test[column], rule)
    if train_clock is None or test_clock is None or train_clock.dates != test_clock.dates:
        return None
    return Period(column, rule, train_clock, test_clock)


def _comes_after(period: Period) -> bool:
    train, test = period.train.values, period.test.values
    if np.isnan(train).mean() > _MAX_MISSING or np.isnan(test).mean() > _MAX_MISSING or len(test) < _MIN_TEST_ROWS:
        return False
    last, first = np.nanmax(train), np.nanmin(test)
    # Times may be coarse, so that the day or week of the cut is in both files.
    coarse = period.train.dates or name_words(period.column) & TIME_WORDS
    after = first >= last if coarse else first > last
    enough = len(np.unique(train[~np.isnan(train)])) >= _MIN_TRAIN_TIMES
    return bool(after and np.nanmax(test) > last and enough)


def _counts_time(period: Period) -> bool:
    """Return whether a counter counts time rather than rows or groups."""
    words = name_words(period.column)
    if words & TIME_WORDS:
        return True
    if words & ID_WORDS or period.column.lower().endswith("id"):
        return False
    return len(period.train.values) / len(np.unique(period.train.values)) >= _MIN_REPEATS
