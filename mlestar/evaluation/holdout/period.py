"""Finding the columns whose test values all come after those of train."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.calendar_columns import calendar_columns, read_calendar
from mlestar.evaluation.holdout.clock import ID_WORDS, TIME_WORDS, Clock, name_words
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.rule import SplitRule, column_clock

# The limits below were chosen by judgement; none was measured.
_MAX_MISSING = 0.05
"""Share of rows without a time up to which a column divides train from test."""
_MIN_TEST_ROWS = 5
_MIN_TRAIN_TIMES = 3
"""Rows of test and different times of train below which an order is chance."""
_MIN_REPEATS = 2
"""Mean rows per value from which a counter without a name of time may count time: several rows at one time."""
_MIN_CHARACTERS = 8
"""Mean length of the cells from which a date may be inside them."""
DATE_RULES = (SplitRule(part="date"), SplitRule(part="written_date"))
"""Dates inside longer texts."""


TimeColumns = tuple[tuple[str, ...], SplitRule | None, Clock]
"""Columns, the part of their cells, and the times that they give."""


@dataclass(frozen=True)
class Period:
    """Columns whose test values all come after those of train."""

    columns: tuple[str, ...]
    rule: SplitRule | None
    train: Clock
    test: Clock


def row_times(frame: pd.DataFrame, columns: tuple[str, ...], rule: SplitRule | None) -> Clock | None:
    """Read each row's time, which one column or several together give; None where they give none.

    Whoever names a column means its fractions too.
    """
    if len(columns) > 1:
        return read_calendar(frame, columns)
    return column_clock(columns[0], frame[columns[0]], rule, decimals=True)


def require_clock(frame: pd.DataFrame, columns: tuple[str, ...], rule: SplitRule | None) -> Clock:
    """Read the time columns of a plan.

    Raises:
        HoldoutError: they hold neither dates nor numbers that can count time.
    """
    clock = row_times(frame, columns, rule)
    if clock is None:
        names = " + ".join(columns)
        msg = f"column {names!r} holds neither dates nor numbers: name another time column in task.toml"
        raise HoldoutError(msg)
    return clock


def find_period(pooled: Pooled, clocks: list[TimeColumns], train: pd.DataFrame, test: pd.DataFrame) -> Period | None:
    """Return the finest date, else the finest counter of time, that divides train from test."""
    periods: list[Period] = []
    for columns, rule, clock in clocks:
        period = _cut(columns, rule, clock, pooled.train_rows)
        if not _comes_after(period) or not (clock.dates or _counts_time(period)):
            continue
        if not pooled.whole:
            # The rows that were left out may contradict.
            pair = pd.concat([train[list(columns)], test[list(columns)]], ignore_index=True)
            whole = row_times(pair, columns, rule)
            if whole is None or not _comes_after(period := _cut(columns, rule, whole, len(train))):
                continue
        periods.append(period)
    return max(periods, key=lambda period: (period.train.dates, len(np.unique(period.train.values))), default=None)


def list_clocks(pooled: Pooled) -> list[TimeColumns]:
    """List everything that can be read as points in time: columns, dates inside texts, columns of units of time."""
    clocks: list[TimeColumns] = []
    for column in pooled.columns:
        if (clock := pooled.clock(column)) is not None:
            clocks.append(((column,), None, clock))
        # A date inside an id of digits alone is as likely a number.
        if (clock is None or column == pooled.id) and pooled.mean_length(column) >= _MIN_CHARACTERS:
            inside = ((rule, pooled.clock(column, rule)) for rule in DATE_RULES)
            clocks += [((column,), rule, clock) for rule, clock in inside if clock is not None]
    for columns in calendar_columns(pooled.columns):
        if (clock := read_calendar(pooled.frame, columns)) is not None:
            clocks.append((columns, None, clock))
    return clocks


def _cut(columns: tuple[str, ...], rule: SplitRule | None, clock: Clock, train_rows: int) -> Period:
    train, test = clock.values[:train_rows], clock.values[train_rows:]
    return Period(columns, rule, Clock(train, clock.dates), Clock(test, clock.dates))


def _comes_after(period: Period) -> bool:
    train, test = period.train.values, period.test.values
    if len(test) < _MIN_TEST_ROWS or np.isnan(train).mean() > _MAX_MISSING or np.isnan(test).mean() > _MAX_MISSING:
        return False
    last, first = np.nanmax(train), np.nanmin(test)
    # Times may be coarse, so that the day or week of the cut is in both files.
    coarse = period.train.dates or name_words(period.columns[0]) & TIME_WORDS
    after = first >= last if coarse else first > last
    enough = len(np.unique(train[~np.isnan(train)])) >= _MIN_TRAIN_TIMES
    return bool(after and np.nanmax(test) > last and enough)


def _counts_time(period: Period) -> bool:
    """Return whether a counter counts time rather than rows or groups."""
    column = period.columns[0]
    words = name_words(column)
    if words & TIME_WORDS:
        return True
    if words & ID_WORDS or column.lower().endswith("id"):
        return False
    return len(period.train.values) / len(np.unique(period.train.values)) >= _MIN_REPEATS
