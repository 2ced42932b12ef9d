"""Writing down a plan with its evidence, from what a comparison of train and test showed."""

import numpy as np
import pandas as pd

from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.clock import Clock
from mlestar.evaluation.holdout.cutoff import Cut, cut_period
from mlestar.evaluation.holdout.grouping import Group
from mlestar.evaluation.holdout.period import Period
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.rule import SplitRule, row_names
from mlestar.evaluation.holdout.series import SeriesSplit, describe_columns
from mlestar.evaluation.holdout.shares import share_fields
from mlestar.evaluation.holdout.space import Blocks

_MIN_NEW_SHARE = 0.02
"""Share of the test rows in new series from which whole series are withheld too. Chosen by judgement; not measured."""


def time_plan(period: Period, *notes: str) -> SplitPlan:
    """Return the plan that withholds a period as long as that of the test."""
    clock = period.train
    train_first, train_last = float(np.nanmin(clock.values)), float(np.nanmax(clock.values))
    test_first, test_last = float(np.nanmin(period.test.values)), float(np.nanmax(period.test.values))
    line = (
        f"{describe_columns(period.columns, period.rule)}: test {clock.format_time(test_first)} to "
        f"{clock.format_time(test_last)} against train {clock.format_time(train_first)} to "
        f"{clock.format_time(train_last)}"
    )
    span, gap = test_last - test_first, max(test_first - train_last, 0.0)
    return cut_plan(period.columns, period.rule, clock, span, gap, (*notes, line))


def cut_plan(
    columns: tuple[str, ...], rule: SplitRule | None, clock: Clock, span: float, gap: float, evidence: tuple[str, ...]
) -> SplitPlan:
    """Return the plan that withholds the last `span` of train.

    Raises:
        HoldoutError: train is too short.
    """
    cut = cut_period(clock.values, float(np.nanmax(clock.values)), span, gap)
    if cut is None:
        msg = f"too little history in {' + '.join(columns)!r} to withhold its last part"
        raise HoldoutError(msg)
    withheld, rest = int(cut.withheld.sum()), int(cut.train.sum())
    return SplitPlan(
        kind="time",
        column=columns[0],
        columns=_several(columns),
        group_rule=rule,
        fraction=withheld / (withheld + rest),
        horizon=clock.format_length(span),
        span=span,
        gap=gap,
        evidence=(*evidence, _describe_cut(clock, cut, withheld, rest)),
    )


def series_plan(train: pd.DataFrame, test: pd.DataFrame, pooled: Pooled, split: SeriesSplit, *notes: str) -> SplitPlan:
    """Return the plan that withholds the last rows of each series, as many as the test has of it."""
    in_train, _ = pooled.sides(split.names.codes)
    values = split.clock.values
    table = pd.DataFrame({"series": split.names.codes, "time": values, "test": np.arange(len(values)) >= len(in_train)})
    last = table[~table.test].groupby("series").time.max()
    ends = table[table.test].groupby("series").time.max()
    spans = (ends - last).dropna()
    span = float(spans.median()) if len(spans) else 0.0
    sizes = row_names(test, split.names.columns, split.names.rule).value_counts()
    new_share = 1 - split.continued_rows
    line = (
        f"{split} over {describe_columns(split.times, split.time_rule)}: of {split.shared} series in both files, "
        f"{split.continued} continue in test after their last row of train"
    )
    horizon = f"{float(sizes.median()):.0f} rows of each series ({split.clock.format_length(span)})"
    new = () if new_share < _MIN_NEW_SHARE else (f"{new_share:.0%} of the test rows are of series that train lacks",)
    share = share_fields(len(train), len(test), *notes, line, *new)
    return SplitPlan(
        kind="series",
        column=split.times[0],
        columns=_several(split.times),
        group_rule=split.time_rule,
        series=split.names.columns,
        series_rule=split.names.rule,
        new_share=new_share if new else 0.0,
        horizon=horizon,
        span=span,
        fraction=share["fraction"],
        evidence=share["evidence"],
    )


def group_plan(train: pd.DataFrame, test: pd.DataFrame, group: Group) -> SplitPlan:
    """Return the plan that withholds whole groups."""
    crossing = group.crossing
    line = f"{group}: {crossing}; train has {crossing.train_values} values, test {crossing.test_values}"
    share = share_fields(len(train), len(test), line)
    columns = group.columns
    return SplitPlan(kind="group", column=columns[0], columns=_several(columns), group_rule=group.rule, **share)


def block_plan(train: pd.DataFrame, test: pd.DataFrame, blocks: Blocks, note: str = "") -> SplitPlan:
    """Return the plan that withholds blocks in space."""
    first, second = blocks.columns
    sizes = " by ".join(f"{width:.3g}" for width in blocks.widths)
    neighbours = str(blocks.crossing).replace("values are", "pairs of neighbours are")
    line = note or f"{first} + {second}: {neighbours}"
    share = share_fields(len(train), len(test), line, f"withheld: blocks of {sizes}, as far from train as the test is")
    return SplitPlan(kind="space", column=first, columns=blocks.columns, widths=blocks.widths, **share)


def _several(columns: tuple[str, ...]) -> tuple[str, ...]:
    return columns if len(columns) > 1 else ()


def _describe_cut(clock: Clock, cut: Cut, withheld: int, rest: int) -> str:
    start, end = clock.format_time(cut.start), clock.format_time(float(np.nanmax(clock.values)))
    change = f"; {cut.change}" if cut.change else ""
    return f"withheld: {start} to {end} ({withheld} rows, {rest} before it{change})"
