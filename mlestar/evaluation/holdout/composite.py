"""Finding groups that two columns name together, such as a school and a class number."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from mlestar.evaluation.holdout.grouping import Group, coarsest_group, is_named_id, make_group
from mlestar.evaluation.holdout.pooled import Pooled
from mlestar.evaluation.holdout.series import pair_codes

# The limits below were chosen by judgement; none was measured.
_MAX_COLUMNS = 24
"""Columns that are tried in pairs; those named like identifiers first, then those with many values."""
_MIN_VALUES = 3
"""Different values that each of the columns must have."""
_MAX_VALUES = 0.5
"""Different values per row up to which a column repeats."""
_MIN_ROWS_PER_GROUP = 1.5
"""Mean rows that a pair of values must have: less are single rows, which no split divides."""


def find_composite(pooled: Pooled) -> Group | None:
    """Return the coarsest pair of columns whose common groups are kept apart."""
    columns: dict[str, np.ndarray] = {}
    for column in sorted(pooled.columns, key=lambda column: not is_named_id(column)):
        if column == pooled.id or pooled.kind(column) != "value":
            continue
        codes = pooled.codes(column)
        if _MIN_VALUES <= codes.max(initial=-1) + 1 <= _MAX_VALUES * len(codes):
            columns[column] = codes
    names = sorted(columns, key=lambda column: (not is_named_id(column), -int(columns[column].max())))[:_MAX_COLUMNS]
    return coarsest_group(_pairs(pooled, {name: columns[name] for name in names}))


def _pairs(pooled: Pooled, columns: dict[str, np.ndarray]) -> Iterator[Group]:
    order = {column: place for place, column in enumerate(pooled.columns)}
    for first, second in combinations(columns, 2):
        codes = pair_codes(columns[first], columns[second])
        if codes.max(initial=-1) + 1 <= len(codes) / _MIN_ROWS_PER_GROUP:
            names = sorted((first, second), key=order.__getitem__)
            yield make_group(pooled, tuple(names), None, codes)
