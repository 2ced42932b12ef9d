"""Finding a column whose test values all come after those of train."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.clock import ID_WORDS, TIME_WORDS, Clock, name_words
from mlestar.evaluation.holdout.rule import SplitRule, column_clock


@dataclass(frozen=True)
class Period:
    """A column whose test values all come after those of train."""

    column: str
    rule: SplitRule | None
    train: Clock
    test: Clock


def clock_of(column: str, cells: pd.Series, rule: SplitRule | None) -> Clock:
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
    found = []
    for column in test.columns:
        if column not in train.columns:
            continue
        period = _read(column, None, train, test)
        if period is None and column == spec.id:
            period = _read(column, SplitRule(part="date"), train, test)
        if period and _comes_after(period) and (period.train.dates or _counts_time(period)):
            found.append(period)
    return max(found, key=lambda period: (period.train.dates, len(np.unique(period.train.values))), default=None)


def _read(column: str, rule: SplitRule | None, train: pd.DataFrame, test: pd.DataFrame) -> Period | None:
    first = column_clock(column, train[column], rule)
    second = column_clock(column, test[column], rule)
    if first is None or second is None or first.dates != second.dates:
        return None
    return Period(column, rule, first, second)


def _comes_after(period: Period) -> bool:
    train, test = period.train.values, period.test.values
    if np.isnan(train).mean() > 0.05 or np.isnan(test).mean() > 0.05 or len(test) < 5:
        return False
    last, first = np.nanmax(train), np.nanmin(test)
    # Time may be told coarsely, so that the day or week of the cut stands in both files.
    after = first >= last if period.train.dates or name_words(period.column) & TIME_WORDS else first > last
    return bool(after and np.nanmax(test) > last and len(np.unique(train[~np.isnan(train)])) >= 3)


def _counts_time(period: Period) -> bool:
    """Tell a counter of time from numbers that only name rows or groups."""
    words = name_words(period.column)
    if words & TIME_WORDS:
        return True
    repeats = len(period.train.values) / len(np.unique(period.train.values))
    return repeats >= 2 and not words & ID_WORDS and not period.column.lower().endswith("id")
