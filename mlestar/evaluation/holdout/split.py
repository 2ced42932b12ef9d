"""Inferring how the real test set was sampled, by comparing it with train."""

import logging
from math import log
from typing import TypedDict

import numpy as np
import pandas as pd

from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError, TaskError
from mlestar.evaluation.holdout.clock import Clock, read_clock
from mlestar.evaluation.holdout.crossing import count_crossing
from mlestar.evaluation.holdout.cutoff import Cut, cut_period
from mlestar.evaluation.holdout.grouping import MAX_RATIO, Group, find_group, list_rules
from mlestar.evaluation.holdout.period import Period, find_period, require_clock
from mlestar.evaluation.holdout.plan import SplitKind, SplitPlan
from mlestar.evaluation.holdout.rule import SplitRule

logger = logging.getLogger("mlestar.evaluation")

# The limits below were chosen by judgement; none was measured.
MAX_WITHHELD = 50_000
"""Withheld rows beyond which a score gains little: the standard error of an accuracy is then below 0.0023."""
_MIN_TRAIN_ROWS = 20
"""Rows of train below which none is withheld."""
_MIN_SHARE, _MAX_SHARE = 0.1, 0.4
"""Share of train to withhold where the real test's is out of these bounds: enough to score, enough to train on."""
_SAMPLE_ROWS = 200_000
"""Rows of train and test together on which groupings are compared."""
_UNIQUE_SHARE = 0.9
"""Different values per row from which a column set as a group does not group."""
_DUPLICATE_LOG_P = log(1e-6)
"""Chance of a false alarm for one table; there is one such test for each."""


class _Share(TypedDict):
    """The fields of a plan that is not by time."""

    fraction: float
    evidence: tuple[str, ...]


def infer_split(task: Task) -> SplitPlan:
    """Return the split that copies the way test differs from train; `spec.split` takes precedence.

    Raises:
        HoldoutError: labels cannot be located, or there are too few rows.
        TaskError: `spec.split` names no column or no kind.
    """
    spec = task.spec
    if not task.labelled:
        msg = "the labels are not in a table, so no rows can be withheld"
        raise HoldoutError(msg)
    train, test = task.train.rows, task.test.rows
    if len(train) < _MIN_TRAIN_ROWS:
        msg = f"{spec.train} has {len(train)} rows: too few to withhold some"
        raise HoldoutError(msg)
    plan, why = _choose_plan(spec, train, test)
    how = f"{plan.kind} by {plan.column}" if plan.column else plan.kind
    rule = f" ({plan.group_rule})" if plan.group_rule else ""
    logger.info("split: %s%s, %.1f%% of train withheld, because %s", how, rule, 100 * plan.fraction, why)
    return plan


def duplicate_codes(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Number rows by the values of these columns: equal rows have the same number."""
    hashes = pd.util.hash_pandas_object(frame[columns], index=False)
    return pd.factorize(hashes)[0]


def feature_columns(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """List the columns that train and test share, without the id."""
    return [column for column in test.columns if column in train.columns and column != spec.id]


def _choose_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> tuple[SplitPlan, str]:
    """Return the plan and the reason for it, without cells."""
    if spec.split:
        return _set_plan(spec, train, test), "it is set"
    if not spec.has_test:
        return _row_plan(spec, train, test), "there is no test file to compare with"
    if (period := find_period(spec, train, test)) is not None:
        return _time_plan(period), "its test values come after those of train"
    if (group := find_group(*_sample(train, test))) is not None:
        return _group_plan(train, test, group), str(group.crossing)
    return _row_plan(spec, train, test), "no column divides train from test"


def _sample(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    share = min(1.0, _SAMPLE_ROWS / (len(train) + len(test)))
    if share == 1.0:
        return train, test
    return train.sample(frac=share, random_state=0), test.sample(frac=share, random_state=0)


def _set_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    kind, column = spec.split_setting
    if kind in ("time", "group") and column not in train.columns:
        msg = f"split = {spec.split!r}: {spec.train} has no column {column!r}"
        raise TaskError(msg)
    note = f"split = {spec.split!r} is set"
    if kind == "time":
        return _set_time_plan(column, train, test, note)
    if kind == "group":
        rule = _repeating_rule(column, train[column])
        how = "" if rule is None else f"; every value differs, so the {rule} names the group"
        return SplitPlan(kind="group", column=column, group_rule=rule, **_share(train, test, note + how))
    plan = _row_plan(spec, train, test)
    if kind not in ("stratified", "random") or column:
        msg = f"split = {spec.split!r}: use time:COLUMN, group:COLUMN, stratified or random"
        raise TaskError(msg)
    return plan.model_copy(update={"kind": kind, "evidence": (note, *plan.evidence)})


def _set_time_plan(column: str, train: pd.DataFrame, test: pd.DataFrame, note: str) -> SplitPlan:
    rule = None if read_clock(column, train[column]) is not None else SplitRule(part="date")
    clock = require_clock(column, train[column], rule)
    if column in test.columns:
        test_clock = require_clock(column, test[column], rule)
        return _time_plan(Period(column, rule, clock, test_clock), note)
    fraction, _ = _fraction(len(train), len(test))
    latest = float(np.nanmax(clock.values))
    span = latest - float(np.nanquantile(clock.values, 1 - fraction))
    return _cut_plan(column, rule, clock, span, 0.0, (note,))


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


def _fraction(train_rows: int, test_rows: int) -> tuple[float, str]:
    """Return the share to withhold, and a note where it is not the real test's."""
    real = test_rows / (train_rows + test_rows)
    bounded = min(max(real, _MIN_SHARE), _MAX_SHARE)
    capped = min(bounded, MAX_WITHHELD / train_rows)
    if capped < bounded:
        return capped, f"{capped:.1%} of train are withheld: {MAX_WITHHELD:,} rows are enough"
    if bounded == real:
        return bounded, ""
    return bounded, f"{real:.1%} of all rows are test; {bounded:.0%} of train are withheld"


def _share(train: pd.DataFrame, test: pd.DataFrame, *evidence: str) -> _Share:
    fraction, note = _fraction(len(train), len(test))
    notes = (note,) if note else ()
    return {"fraction": fraction, "evidence": (*evidence, *notes)}


def _time_plan(period: Period, *notes: str) -> SplitPlan:
    column, clock = period.column, period.train
    train_first, train_last = float(np.nanmin(clock.values)), float(np.nanmax(clock.values))
    test_first, test_last = float(np.nanmin(period.test.values)), float(np.nanmax(period.test.values))
    how = column if period.rule is None else f"{column} ({period.rule})"
    line = (
        f"{how}: test {clock.format_time(test_first)} to {clock.format_time(test_last)} against "
        f"train {clock.format_time(train_first)} to {clock.format_time(train_last)}"
    )
    span, gap = test_last - test_first, max(test_first - train_last, 0.0)
    return _cut_plan(column, period.rule, clock, span, gap, (*notes, line))


def _cut_plan(
    column: str, rule: SplitRule | None, clock: Clock, span: float, gap: float, evidence: tuple[str, ...]
) -> SplitPlan:
    cut = cut_period(clock.values, float(np.nanmax(clock.values)), span, gap)
    if cut is None:
        msg = f"too little history in {column!r} to withhold its last part"
        raise HoldoutError(msg)
    withheld, rest = int(cut.withheld.sum()), int(cut.train.sum())
    return SplitPlan(
        kind="time",
        column=column,
        group_rule=rule,
        fraction=withheld / (withheld + rest),
        horizon=clock.format_length(span),
        span=span,
        gap=gap,
        evidence=(*evidence, _describe_cut(clock, cut, withheld, rest)),
    )


def _describe_cut(clock: Clock, cut: Cut, withheld: int, rest: int) -> str:
    start, end = clock.format_time(cut.start), clock.format_time(float(np.nanmax(clock.values)))
    change = f"; {cut.change}" if cut.change else ""
    return f"withheld: {start} to {end} ({withheld} rows, {rest} before it{change})"


def _group_plan(train: pd.DataFrame, test: pd.DataFrame, group: Group) -> SplitPlan:
    crossing = group.crossing
    line = f"{group}: {crossing}; train has {crossing.train_values} values, test {crossing.test_values}"
    return SplitPlan(kind="group", column=group.column, group_rule=group.rule, **_share(train, test, line))


def _row_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> SplitPlan:
    keep_duplicates, line = _find_duplicates(spec, train, test)
    has_classes = spec.problem in ("binary", "multiclass", "ordinal")
    kind: SplitKind = "stratified" if has_classes else "random"
    reason = "no time column whose test values come after train's, no column whose groups are kept apart"
    return SplitPlan(kind=kind, keep_duplicates=keep_duplicates, **_share(train, test, reason, line))


def _find_duplicates(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> tuple[bool, str]:
    """Return whether rows of equal features were kept on one side, and the numbers that show it."""
    columns = feature_columns(spec, train, test)
    if not columns:
        return False, "train and test share no feature columns"
    codes = duplicate_codes(pd.concat([train, test], ignore_index=True), columns)
    crossing = count_crossing(codes[: len(train)], codes[len(train) :])
    repeated = len(train) - crossing.train_values
    kept = crossing.ratio <= MAX_RATIO and crossing.log_p < _DUPLICATE_LOG_P
    how = "kept together" if kept else "not kept together"
    return kept, f"equal features: {repeated} repeated rows within train; {crossing}; {how}"
