"""Inferring how the real test set was sampled, by comparing it with train."""

import logging
from math import log

import numpy as np
import pandas as pd

from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError
from mlestar.evaluation.holdout.composite import find_composite
from mlestar.evaluation.holdout.copies import Copies, find_copies
from mlestar.evaluation.holdout.crossing import count_crossing
from mlestar.evaluation.holdout.gaps import gap_notes
from mlestar.evaluation.holdout.grouping import MAX_RATIO, Group, explains, find_group
from mlestar.evaluation.holdout.order import order_notes
from mlestar.evaluation.holdout.period import TimeColumns, find_period, list_clocks
from mlestar.evaluation.holdout.plan import SplitKind, SplitPlan
from mlestar.evaluation.holdout.pooled import SAMPLE_ROWS, Pooled, pool
from mlestar.evaluation.holdout.series import find_series
from mlestar.evaluation.holdout.setting import assume_plan, set_plan
from mlestar.evaluation.holdout.shares import share_fields
from mlestar.evaluation.holdout.space import find_blocks
from mlestar.evaluation.holdout.units import duplicate_codes, feature_columns
from mlestar.evaluation.holdout.writing import block_plan, group_plan, series_plan, time_plan

logger = logging.getLogger("mlestar.evaluation")

# The limits below were chosen by judgement; none was measured.
_MIN_TRAIN_ROWS = 20
"""Rows of train below which none is withheld."""
_DUPLICATE_LOG_P = log(1e-6)
"""Chance of a false alarm for one table; there is one such test for each."""
_BUCKET_COLUMNS = 3
"""Columns by whose values a long table is sampled, so that equal rows are sampled together."""


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
    plan, why = choose_plan(spec, train, test)
    plan = plan.model_copy(update={"evidence": (*plan.evidence, *gap_notes(task))})
    how = f"{plan.kind} by {plan.by}" if plan.by else plan.kind
    rule = f" ({plan.group_rule})" if plan.group_rule else ""
    logger.info("split: %s%s, %.1f%% of train withheld, because %s", how, rule, 100 * plan.fraction, why)
    return plan


def choose_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame) -> tuple[SplitPlan, str]:
    """Return the plan and the reason for it, without cells."""
    if spec.split:
        return set_plan(spec, train, test), "it is set"
    if not spec.has_test or not len(test):
        return assume_plan(spec, train, test), "there is no test file to compare with"
    pooled = pool(train, test, spec.id)
    times = list_clocks(pooled)
    if (period := find_period(pooled, times, train, test)) is not None:
        return time_plan(period), "its test values come after those of train"
    if (series := find_series(pooled, times)) is not None:
        return series_plan(train, test, pooled, series), "series continue in test"
    if (group := find_group(pooled)) is not None:
        return group_plan(train, test, group), str(group.crossing)
    if (blocks := find_blocks(pooled, named=True)) is not None:
        return block_plan(train, test, blocks), str(blocks.crossing)
    return _compare_rows(spec, train, test, pooled, times)


def _compare_rows(
    spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame, pooled: Pooled, times: list[TimeColumns]
) -> tuple[SplitPlan, str]:
    """Return the plan where no single column divides the rows."""
    kept, duplicates, codes = _find_duplicates(spec, pooled, train, test)
    copies = None if kept else find_copies(pooled)
    if copies is not None:
        codes = copies.units
    composite = find_composite(pooled)
    if composite is not None and (not (kept or copies) or _is_coarser(pooled, composite, codes)):
        return group_plan(train, test, composite), str(composite.crossing)
    if not (kept or copies) and (blocks := find_blocks(pooled, named=False)) is not None:
        return block_plan(train, test, blocks), str(blocks.crossing)
    lines = [f"equal features: {duplicates}; {'kept together' if kept else 'not kept together'}"] if duplicates else []
    plan = _row_plan(spec, train, test, *lines, *order_notes(pooled, times))
    if copies is not None:
        return _keep_copies(plan, copies), str(copies.crossing)
    return plan.model_copy(update={"keep_duplicates": kept}), "no column divides train from test"


def _is_coarser(pooled: Pooled, group: Group, codes: np.ndarray) -> bool:
    if not pooled.whole:
        return False
    fine = Group((), None, *pooled.sides(codes), group.crossing)
    return explains(group, fine)


def _row_plan(spec: TaskSpec, train: pd.DataFrame, test: pd.DataFrame, *evidence: str) -> SplitPlan:
    kind: SplitKind = "stratified" if spec.problem in ("binary", "multiclass", "ordinal") else "random"
    reason = "no time, series, groups or blocks in space divide train from test"
    return SplitPlan(kind=kind, **share_fields(len(train), len(test), reason, *evidence))


def _keep_copies(plan: SplitPlan, copies: Copies) -> SplitPlan:
    names = ", ".join(copies.columns[:3]) + (", ..." if len(copies.columns) > 3 else "")
    line = f"near copies by {names}: {copies.crossing}; kept together"
    fields = {"keep_duplicates": True, "columns": copies.columns, "widths": copies.widths}
    return plan.model_copy(update={**fields, "evidence": (line, *plan.evidence)})


def _find_duplicates(
    spec: TaskSpec, pooled: Pooled, train: pd.DataFrame, test: pd.DataFrame
) -> tuple[bool, str, np.ndarray]:
    """Return whether rows of equal features were kept on one side, the numbers that show it, and each row's number.

    Without columns to compare there are no numbers.
    """
    columns = feature_columns(spec.id, train, test)
    if not columns:
        return False, "", np.arange(len(pooled.frame))
    frame, train_rows = (pooled.frame, pooled.train_rows) if pooled.whole else _sample_values(train, test, columns)
    codes = duplicate_codes(frame, columns)
    crossing = count_crossing(codes[:train_rows], codes[train_rows:])
    repeated = train_rows - crossing.train_values
    kept = crossing.ratio <= MAX_RATIO and crossing.log_p < _DUPLICATE_LOG_P
    return kept, f"{repeated} repeated row{'s' * (repeated != 1)} within train; {crossing}", codes


def _sample_values(train: pd.DataFrame, test: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, int]:
    """Return rows of a long table such that of equal rows all are there or none."""
    head = train[columns].head(1000)
    keys = sorted(columns, key=lambda column: -head[column].nunique())[:_BUCKET_COLUMNS]
    buckets = max(1, (len(train) + len(test)) // SAMPLE_ROWS)

    parts: list[pd.DataFrame] = []
    for frame in (train, test):
        hashes = pd.util.hash_pandas_object(frame[keys], index=False).to_numpy()
        parts.append(frame[columns][hashes % np.uint64(buckets) == 0])
    return pd.concat(parts, ignore_index=True), len(parts[0])
