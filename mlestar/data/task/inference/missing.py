"""Codes for missing values in the target: rows that hold one have no label."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mlestar.data.missing import ColumnCodes, MissingRules, equals_code, parse_numbers
from mlestar.data.statistics import MISSING, find_codes
from mlestar.metrics import Metric

_MAX_COLUMNS, _MAX_ROWS = 64, 20_000
"""Columns and rows in which codes are looked for that other columns may share. Chosen by judgement; not measured."""
_LEAST = 90
"""Size from which a code of one column is one of others: -1 and 9 are values of many. Chosen by judgement; not
measured."""


def share_codes(rules: MissingRules, frame: pd.DataFrame | None) -> MissingRules:
    """Add the codes that the values of some column suggest: others may hold them nearer to their values."""
    if frame is None or rules.setting is not None:
        return rules
    some = frame.iloc[:: max(1, len(frame) // _MAX_ROWS), :_MAX_COLUMNS]
    columns = (find_codes(str(name), cells, rules) for name, cells in some.items())
    codes = {code for column in columns if column is not None for code in parse_numbers(column.codes).tolist()}
    return replace(rules, shared=tuple(sorted(code for code in codes if abs(code) >= _LEAST)))


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
