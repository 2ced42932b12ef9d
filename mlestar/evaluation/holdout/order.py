"""What the order of ids says about time, where nothing else divides train from test."""

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.period import TimeColumns
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.rule import SplitRule, column_clock

_MIN_CORRELATION = 0.95
"""Rank correlation with a date from which ids are in the order of time. Chosen by judgement; not measured."""


def order_notes(pooled: Pooled, times: list[TimeColumns]) -> tuple[str, ...]:
    """Say where the files cannot show whether test is later than train, and how to set it."""
    if pooled.id is None or pooled.id not in pooled.columns:
        return ()
    column = pooled.id
    clock = pooled.clock(column) or column_clock(column, pooled.frame[column], SplitRule(part="number"))
    if clock is None or np.isnan(clock.values).all():
        return ()
    train, test = pooled.sides(clock.values)
    if len(test) and len(train) and np.nanmin(test) > np.nanmax(train):
        return (
            f"the ids of test all come after those of train: whether {column} is in the order of time cannot be "
            f"decided from the files; if it is, set split = 'time:{column}' in task.toml or with --split",
        )
    for columns, _, other in times:
        if not other.dates or columns[0] == column:
            continue
        correlation = pd.Series(clock.values).corr(pd.Series(other.values), method="spearman")
        if correlation > _MIN_CORRELATION:
            name = "+".join(columns)
            return (
                f"{column} increases with {name}, but test is not later than train: whether new rows come later cannot "
                f"be decided from the files; if they do, set split = 'time:{name}' in task.toml or with --split",
            )
    return ()
