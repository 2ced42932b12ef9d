"""Codes for missing values in the target: rows that hold one have no label."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlestar.data.missing import ColumnCodes, MissingRules, equals_code, parse_numbers
from mlestar.data.statistics import MISSING, find_codes
from mlestar.metrics import Metric


def target_codes(cells: pd.DataFrame | None, rules: MissingRules) -> dict[str, ColumnCodes]:
    """Return the codes of each target column that has any, as if it held numbers."""
    if cells is None:
        return {}
    codes = {str(name): find_codes(str(name), column, rules) for name, column in cells.items()}
    return {name: found for name, found in codes.items() if found is not None}


def allowed_codes(codes: Mapping[str, ColumnCodes], metric: Metric) -> dict[str, ColumnCodes]:
    """Leave out negative codes that only the values suggest, where the metric is not defined for negative values.

    Then a person must say whether they are codes or wrong values.
    """
    if not metric.non_negative:
        return dict(codes)
    return {
        name: column
        for name, column in codes.items()
        if column.source != "values" or not (parse_numbers(column.codes) < 0).any()
    }


def without_codes(cells: pd.DataFrame, codes: Mapping[str, ColumnCodes]) -> pd.DataFrame:
    """Return the target columns with missing values and codes for them emptied."""
    return cells.apply(lambda column: _without_codes(column, codes.get(str(column.name))))


def _without_codes(cells: pd.Series, codes: ColumnCodes | None) -> pd.Series:
    values = [str(value) for value in cells.unique()]
    missing = np.array([value.strip() in MISSING for value in values], dtype=bool)
    if codes is not None:
        missing |= equals_code(values, codes.codes)
    emptied = [value for value, is_missing in zip(values, missing, strict=True) if is_missing]
    return cells.mask(cells.isin(emptied), "")


def count_unlabelled(cells: pd.DataFrame) -> int:
    """Return the number of rows without a finite number in every target column."""
    numbers = cells.apply(lambda column: pd.to_numeric(column.str.strip(), errors="coerce"))
    return int((~np.isfinite(numbers).all(axis=1)).sum())
