"""Rows that stay on one side of a split."""

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.copies import copy_units
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.rule import row_names
from mlestar.evaluation.holdout.space import block_names


def duplicate_codes(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Number rows by the values of these columns: equal rows have the same number."""
    hashes = pd.util.hash_pandas_object(frame[columns], index=False)
    return pd.factorize(hashes)[0]


def feature_columns(row_id: str | None, train: pd.DataFrame, test: pd.DataFrame) -> list[str]:
    """List the columns that train and test share, without the id."""
    return [column for column in test.columns if column in train.columns and column != row_id]


def name_codes(names: pd.Series) -> np.ndarray:
    """Number rows by their names; a row without a name is a unit by itself."""
    codes = pd.factorize(names.where(names != ""))[0]
    return np.where(codes >= 0, codes, np.arange(len(codes)) + len(codes))


def row_units(plan: SplitPlan, frame: pd.DataFrame, features: list[str]) -> np.ndarray:
    """Number the rows of train so that those which stay on one side have the same number."""
    if plan.kind == "group":
        return name_codes(row_names(frame, plan.keys, plan.group_rule))
    if plan.kind == "space":
        return name_codes(block_names(frame, plan.keys, plan.widths))
    if plan.keep_duplicates and plan.widths:
        return copy_units(frame, plan.columns, plan.widths)
    if plan.keep_duplicates:
        return duplicate_codes(frame, features)
    return np.arange(len(frame))
