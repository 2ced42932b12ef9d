"""The split that a person sets, and the one that is assumed without a test file."""

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.errors import TaskError
from mlestar.evaluation.holdout.clock import Clock
from mlestar.evaluation.holdout.grouping import is_named_id, list_rules
from mlestar.evaluation.holdout.period import DATE_RULES, Period, list_clocks, require_clock, row_times
from mlestar.evaluation.holdout.plan import SplitKind, SplitPlan
from mlestar.evaluation.holdout.pooled import pool
from mlestar.evaluation.holdout.rule import SplitRule, row_names
from mlestar.evaluation.holdout.series import Names, SeriesSplit
from mlestar.evaluation.holdout.shares import share_fields, share_to_withhold
from mlestar.evaluation.holdout.space import set_blocks
from mlestar.evaluation.holdout.units import duplicate_codes
from mlestar.evaluation.holdout.writing import block_plan, cut_plan, series_plan, time_plan

# The limits below were chosen by judgement; none was measured.
_UNIQUE_SHARE = 0.9
"""Different values per row from which a column set as a group does not group."""
_MANY_EQUAL = 0.05
"""Share of repeated rows from which these are kept together where there is no test file to show what was done."""
_REPEATS = 2.0
"""Mean rows per value from which a column named like an identifier may group rows."""


def set_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    """Return the plan that `spec.split` sets.

    Raises:
        TaskError: it names no column or no kind, or its columns do not hold what the kind needs.
        HoldoutError: there is too little history to withhold a part of it.
    """
    kind, series, columns = spec.split_columns(train.columns)
    if missing := [name for name in (*series, *columns) if name not in train.columns]:
        msg = f"split = {spec.split!r}: {spec.train} has no column {missing[0]!r}"
        raise TaskError(msg)
    note = f"split = {spec.split!r} is set"
    if kind == "time" and columns:
        return _set_time(columns, train, test, note)
    if kind == "series" and series and columns:
        return _set_series(series, columns, train, test, note)
    if kind == "group" and columns:
        return _set_group(spec, columns, train, test, note)
    if kind == "space" and len(columns) == 2:
        blocks = set_blocks((columns[0], columns[1]), train, test)
        if blocks is None:
            msg = f"split = {spec.split!r}: the columns must hold many different numbers"
            raise TaskError(msg)
        return block_plan(train, test, blocks, note)
    if kind not in ("stratified", "random") or columns:
        msg = (
            f"split = {spec.split!r}: use time:COLUMN, series:GROUP:TIME, group:COLUMN, space:X+Y, stratified or random"
        )
        raise TaskError(msg)
    return SplitPlan(
        kind="stratified" if kind == "stratified" else "random", **share_fields(len(train), len(test), note)
    )


def assume_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    """Return the plan for a task without test rows: at random, with what may speak against it as evidence."""
    kind: SplitKind = "stratified" if spec.problem in ("binary", "multiclass", "ordinal") else "random"
    features = [column for column in train.columns if column != spec.id and column not in spec.target]
    codes = duplicate_codes(train, features) if features else np.arange(len(train))
    repeated = 1 - (codes.max() + 1) / len(train)
    keep = repeated >= _MANY_EQUAL
    lines = [
        "assumed: there is no test file to compare with; if new rows will be later, of other groups or elsewhere, set "
        "split = 'time:COLUMN', 'series:GROUP:TIME', 'group:COLUMN' or 'space:X+Y' in task.toml or with --split"
    ]
    lines += [f"{repeated:.0%} of the rows repeat the features of another; they are kept together"] if keep else []
    lines += _dependence_notes(spec, train[features])
    share = share_fields(len(train), len(test), *lines)
    return SplitPlan(kind=kind, keep_duplicates=keep, **share)


def _dependence_notes(spec: TaskSpec, features: pd.DataFrame) -> list[str]:
    """Name the columns by which rows may depend on each other, with the setting for each."""
    pooled = pool(features, features.head(0), spec.id)
    dated = [columns for columns, _, clock in list_clocks(pooled) if clock.dates]
    notes = [
        f"rows have a time in {'+'.join(columns)}: if new rows come later, set split = 'time:{'+'.join(columns)}'"
        for columns in dated[:1]
    ]
    for column in features.columns:
        if is_named_id(column) and pooled.kind(column) == "value":
            values = int(pooled.codes(column).max(initial=-1)) + 1
            if values > 1 and len(pooled.frame) >= _REPEATS * values:
                notes.append(
                    f"{column} has {len(pooled.frame) / values:.1f} rows per value, which may depend on each other: if "
                    f"new rows have other values, set split = 'group:{column}'"
                )
    return notes


def _set_time(columns: tuple[str, ...], train: pd.DataFrame, test: pd.DataFrame, note: str) -> SplitPlan:
    rule = _time_rule(columns, train)
    clock = require_clock(train, columns, rule)
    if len(test) and set(columns) <= set(test.columns):
        test_clock = require_clock(test, columns, rule)
        return time_plan(Period(columns, rule, clock, test_clock), note)
    fraction, _ = share_to_withhold(len(train), len(test))
    latest = float(np.nanmax(clock.values))
    span = latest - float(np.nanquantile(clock.values, 1 - fraction))
    return cut_plan(columns, rule, clock, span, 0.0, (note,))


def _time_rule(columns: tuple[str, ...], train: pd.DataFrame) -> SplitRule | None:
    """Return the first part of the cells that is a time; None where the whole cells are."""
    rules = (None, *DATE_RULES, SplitRule(part="number"))
    return next((rule for rule in rules if row_times(train, columns, rule) is not None), None)


def _set_series(
    series: tuple[str, ...], columns: tuple[str, ...], train: pd.DataFrame, test: pd.DataFrame, note: str
) -> SplitPlan:
    rule = _time_rule(columns, train)
    require_clock(train, columns, rule)
    needed = set(series) | set(columns)
    rows = test if needed <= set(test.columns) else test.head(0).reindex(columns=list(train.columns), fill_value="")
    pooled = pool(train, rows, None)
    clock = row_times(pooled.frame, columns, rule) or Clock(np.full(len(pooled.frame), np.nan), dates=False)
    names = row_names(pooled.frame, series, None)
    codes = np.asarray(pd.factorize(names.where(names != ""))[0])
    in_train, in_test = pooled.sides(codes)
    known = np.isin(in_test, in_train)
    shared = len(np.intersect1d(in_train, in_test))
    continued_rows = float(known.mean()) if len(known) else 1.0
    split = SeriesSplit(Names(series, None, codes), columns, rule, clock, shared, shared, continued_rows, 0.0, 0)
    plan = series_plan(train, rows, pooled, split, note)
    return plan.model_copy(update={"evidence": (note, *plan.evidence[2:])})


def _set_group(
    spec: TaskSpec, columns: tuple[str, ...], train: pd.DataFrame, test: pd.DataFrame, note: str
) -> SplitPlan:
    rule = _repeating_rule(columns[0], train[columns[0]]) if len(columns) == 1 else None
    how = "" if rule is None else f"; every value differs, so the {rule} names the group"
    several = columns if len(columns) > 1 else ()
    share = share_fields(len(train), len(test), note + how)
    return SplitPlan(kind="group", column=columns[0], columns=several, group_rule=rule, **share)


def _repeating_rule(column: str, cells: pd.Series) -> SplitRule | None:
    """Return the first rule under which nearly unique cells repeat; None when the cells repeat themselves."""
    limit = _UNIQUE_SHARE * len(cells)
    if cells.nunique() < limit:
        return None
    for rule in list_rules(cells):
        if 2 < rule.apply(column, cells).nunique() < limit:
            return rule
    msg = f"split = 'group:{column}': nearly every value of {column!r} differs, so it groups nothing"
    raise TaskError(msg)
