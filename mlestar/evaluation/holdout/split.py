"""Inferring how the real test was taken, by comparing it with train."""

from math import log

import numpy as np
import pandas as pd

from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError, TaskError
from mlestar.evaluation.holdout.clock import Clock, read_clock
from mlestar.evaluation.holdout.crossing import count_crossing
from mlestar.evaluation.holdout.cutoff import Cut, cut
from mlestar.evaluation.holdout.grouping import MAX_RATIO, Group, find_group, prefix_rules
from mlestar.evaluation.holdout.period import Period, clock_of, find_period
from mlestar.evaluation.holdout.plan import SplitKind, SplitPlan
from mlestar.evaluation.holdout.rule import SplitRule

MAX_HELD = 50_000
"""Held-out rows beyond which a score gains nothing."""
_SAMPLE = 200_000
_DUPLICATE_LOG_P = log(1e-6)


def infer_split(task: Task) -> SplitPlan:
    """Find the split that copies the way test differs from train; `spec.split` overrules it.

    Raises:
        HoldoutError: labels cannot be located, or there are too few rows.
        TaskError: `spec.split` names no column or no kind.
    """
    spec = task.spec
    if not task.labelled:
        msg = "the labels are not in a table, so no rows can be withheld"
        raise HoldoutError(msg)
    train, test = task.table(spec.train).frame, task.table(spec.test).frame
    if len(train) < 20:
        msg = f"{spec.train} has {len(train)} rows: too few to withhold some"
        raise HoldoutError(msg)
    if spec.split:
        return _overruled(spec, train, test)
    if (period := find_period(spec, train, test)) is not None:
        return _time_plan(period)
    if (group := find_group(*_sample(train, test))) is not None:
        return _group_plan(train, test, group)
    return _row_plan(spec, train, test)


def duplicate_codes(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Number rows by the values of these columns: equal rows share a number."""
    hashes = pd.util.hash_pandas_object(frame[columns], index=False)
    return pd.factorize(hashes)[0]


def feature_columns(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """List the columns that train and test share, the id left out."""
    return [column for column in test.columns if column in train.columns and column != spec.id]


def _sample(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    share = min(1.0, _SAMPLE / (len(train) + len(test)))
    if share == 1.0:
        return train, test
    return train.sample(frac=share, random_state=0), test.sample(frac=share, random_state=0)


def _overruled(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    kind, column = spec.split_setting
    if kind in ("time", "group") and column not in train.columns:
        msg = f"split = {spec.split!r}: {spec.train} has no column {column!r}"
        raise TaskError(msg)
    note = f"split = {spec.split!r} was given"
    if kind == "time":
        return _given_time(column, train, test, note)
    if kind == "group":
        rule = _repeating_rule(column, train[column])
        how = "" if rule is None else f"; every value differs, so the {rule} names the group"
        return SplitPlan(kind="group", column=column, group_rule=rule, **_share(train, test, note + how))
    plan = _row_plan(spec, train, test)
    if kind not in ("stratified", "random") or column:
        msg = f"split = {spec.split!r}: use time:COLUMN, group:COLUMN, stratified or random"
        raise TaskError(msg)
    return plan.model_copy(update={"kind": kind, "evidence": (note, *plan.evidence)})


def _given_time(column: str, train: pd.DataFrame, test: pd.DataFrame, note: str) -> SplitPlan:
    rule = None if read_clock(column, train[column]) is not None else SplitRule(part="date")
    clock = clock_of(column, train[column], rule)
    if column in test.columns:
        period = Period(column, rule, clock, clock_of(column, test[column], rule))
        return _time_plan(period, note)
    fraction, _ = _fraction(len(train), len(test))
    latest = float(np.nanmax(clock.values))
    span = latest - float(np.nanquantile(clock.values, 1 - fraction))
    return _cut_plan(column, rule, clock, span, 0.0, (note,))


def _repeating_rule(column: str, cells: pd.Series) -> SplitRule | None:
    if cells.nunique() < 0.9 * len(cells):
        return None
    for rule in prefix_rules(cells):
        if 2 < rule.apply(column, cells).nunique() < 0.9 * len(cells):
            return rule
    msg = f"split = 'group:{column}': nearly every value of {column!r} differs, so it groups nothing"
    raise TaskError(msg)


def _fraction(train_rows: int, test_rows: int) -> tuple[float, str]:
    """Return the share to hold out, and a note where it is not the real test's."""
    real = test_rows / (train_rows + test_rows)
    bounded = min(max(real, 0.1), 0.4)
    capped = min(bounded, MAX_HELD / train_rows)
    if capped < bounded:
        return capped, f"{capped:.1%} of train are held out: {MAX_HELD:,} rows are enough"
    note = f"{real:.1%} of all rows are test; {bounded:.0%} of train are held out" if bounded != real else ""
    return bounded, note


def _share(train: pd.DataFrame, test: pd.DataFrame, *evidence: str) -> dict[str, float | tuple[str, ...]]:
    fraction, note = _fraction(len(train), len(test))
    return {"fraction": fraction, "evidence": (*evidence, *([note] if note else []))}


def _time_plan(period: Period, *notes: str) -> SplitPlan:
    column, clock = period.column, period.train
    low, high = float(np.nanmin(clock.values)), float(np.nanmax(clock.values))
    first, last = float(np.nanmin(period.test.values)), float(np.nanmax(period.test.values))
    how = column if period.rule is None else f"{column} ({period.rule})"
    line = (
        f"{how}: test {clock.words(first)} to {clock.words(last)} against "
        f"train {clock.words(low)} to {clock.words(high)}"
    )
    return _cut_plan(column, period.rule, clock, last - first, max(first - high, 0.0), (*notes, line))


def _cut_plan(
    column: str, rule: SplitRule | None, clock: Clock, span: float, gap: float, evidence: tuple[str, ...]
) -> SplitPlan:
    made = cut(clock.values, float(np.nanmax(clock.values)), span, gap)
    if made is None:
        msg = f"too little history in {column!r} to withhold its last part"
        raise HoldoutError(msg)
    held, rest = int(made.held.sum()), int(made.train.sum())
    return SplitPlan(
        kind="time",
        column=column,
        group_rule=rule,
        fraction=held / (held + rest),
        horizon=clock.length(span),
        span=span,
        gap=gap,
        evidence=(*evidence, _describe_cut(clock, made, held, rest)),
    )


def _describe_cut(clock: Clock, made: Cut, held: int, rest: int) -> str:
    end = clock.words(float(np.nanmax(clock.values)))
    change = f"; {made.change}" if made.change else ""
    return f"held out: {clock.words(made.start)} to {end} ({held} rows, {rest} before it{change})"


def _group_plan(train: pd.DataFrame, test: pd.DataFrame, group: Group) -> SplitPlan:
    found = group.crossing
    line = f"{group}: {found}; train has {found.train_values} values, test {found.test_values}"
    return SplitPlan(kind="group", column=group.column, group_rule=group.rule, **_share(train, test, line))


def _row_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    kept, line = _find_duplicates(spec, train, test)
    classes = spec.problem in ("binary", "multiclass", "ordinal")
    kind: SplitKind = "stratified" if classes else "random"
    evidence = ["no time column whose test values come after train's, no column whose groups are kept apart", line]
    return SplitPlan(kind=kind, keep_duplicates=kept, **_share(train, test, *evidence))


def _find_duplicates(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> tuple[bool, str]:
    columns = feature_columns(spec, train, test)
    if not columns:
        return False, "train and test share no feature columns"
    codes = duplicate_codes(pd.concat([train, test], ignore_index=True), columns)
    found = count_crossing(codes[: len(train)], codes[len(train) :])
    inside = len(train) - found.train_values
    kept = found.ratio <= MAX_RATIO and found.log_p < _DUPLICATE_LOG_P
    how = "kept together" if kept else "not kept together"
    return kept, f"equal features: {inside} repeated rows within train; {found}; {how}"
