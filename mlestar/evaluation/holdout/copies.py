"""Rows that are copies of each other up to a small noise: measured twice, augmented, or taken from one source.

Rows whose nearest neighbours are closer than a limit are one unit. Whether units were kept on one side is tested as
for groups, in `crossing.py`.
"""

from dataclasses import dataclass
from math import log

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mlestar.evaluation.holdout.crossing import Crossing, count_crossing
from mlestar.evaluation.holdout.grouping import MAX_LOG_P, MAX_RATIO
from mlestar.evaluation.holdout.pooled import Pooled

# The limits below were chosen by judgement; none was measured.
_MIN_COLUMNS, _MAX_COLUMNS = 3, 12
"""Columns of numbers that are compared: fewer are alike by chance, more add time and no certainty."""
_SAMPLE_ROWS = 8000
"""Rows on which limits are tried."""
_WINDOWS = 16
"""Stretches of rows with similar values of one column that are the sample of a long table."""
_NEIGHBOURS = 6
"""Neighbours of a row that are linked."""
_LIMITS = np.linspace(0.1, 1.0, 19)
"""Shares of the rows whose nearest neighbour is within a limit that is tried."""
_LOG_TRIALS = log(len(_LIMITS))
_MAX_UNIT = 0.05
"""Share of the rows that one unit may have: more is a chain of neighbours, not copies."""


@dataclass(frozen=True)
class Copies:
    """Near copies that were kept on one side."""

    columns: tuple[str, ...]
    widths: tuple[float, ...]
    """Distance along each column at which two rows with equal other columns just count as copies."""
    units: np.ndarray
    """Unit of each pooled row, -1 where it is not in the sample."""
    crossing: Crossing


def number_matrix(frame: pd.DataFrame, columns: list[str] | tuple[str, ...]) -> np.ndarray:
    """Return the columns as numbers; a missing value is the median of its column."""
    numbers = frame[list(columns)].apply(lambda cells: pd.to_numeric(cells.str.strip(), errors="coerce"))
    numbers = numbers.replace([np.inf, -np.inf], np.nan)
    return np.asarray(numbers.fillna(numbers.median()).fillna(0.0), dtype=float)


def find_copies(pooled: Pooled) -> Copies | None:
    """Return the near copies that were kept on one side; None where there are none."""
    columns = [column for column in pooled.number_columns if column != pooled.id][:_MAX_COLUMNS]
    if len(columns) < _MIN_COLUMNS:
        return None
    values = number_matrix(pooled.frame, columns)
    low, high = np.quantile(values, [0.05, 0.95], axis=0)
    scale = np.where(high > low, high - low, 1.0)
    rows = _sample_rows(values[:, 0])
    points = values[rows] / scale
    distances, neighbours = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points)))
    in_train = rows < pooled.train_rows
    best: Copies | None = None
    for limit in np.unique(np.quantile(distances[:, 1], _LIMITS)):
        units = _join(len(points), distances <= limit, neighbours)
        crossing = count_crossing(units[in_train], units[~in_train])
        kept = crossing.ratio <= MAX_RATIO and crossing.log_p < MAX_LOG_P - _LOG_TRIALS
        if not kept or np.bincount(units).max() > max(_MAX_UNIT * len(units), _NEIGHBOURS):
            continue
        if best is None or crossing.log_p < best.crossing.log_p:
            numbered = np.full(len(values), -1)
            numbered[rows] = units
            best = Copies(tuple(columns), tuple(float(width) for width in limit * scale), numbered, crossing)
    return best


def copy_units(frame: pd.DataFrame, columns: tuple[str, ...], widths: tuple[float, ...]) -> np.ndarray:
    """Number rows so that near copies, and copies of these, have the same number."""
    points = number_matrix(frame, columns) / np.maximum(widths, 1e-300)
    places, inverse = np.unique(points, axis=0, return_inverse=True)
    pairs = cKDTree(places).query_pairs(1.0 + 1e-9, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    return np.asarray(connected_components(graph, directed=False)[1][inverse.reshape(-1)])


def _sample_rows(values: np.ndarray) -> np.ndarray:
    """Return row numbers: all, or those of some stretches of similar values, in which copies stay together."""
    if len(values) <= _SAMPLE_ROWS:
        return np.arange(len(values))
    order, size = np.argsort(values, kind="stable"), _SAMPLE_ROWS // _WINDOWS
    starts = np.linspace(0, len(values) - size, _WINDOWS).astype(int)
    return np.unique(np.concatenate([order[start : start + size] for start in starts]))


def _join(count: int, near: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Number the points so that linked ones have the same number."""
    first, place = np.nonzero(near)
    links = (np.ones(len(first), dtype=bool), (first, neighbours[first, place]))
    return np.asarray(connected_components(coo_array(links, shape=(count, count)), directed=False)[1])
