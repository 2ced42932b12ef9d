"""Finding blocks in space: test rows whose close neighbours are in test as well.

Each place and its nearest neighbour, where these are each other's nearest, are a pair. Under a random split pairs cross
as often as groups of two rows (`crossing.py`). Pairs that are on one side are joined to their middle and paired again,
so that copies of single places are no blocks. The size of the blocks is the one at which withheld rows are as far from
the rest of train as test rows are from train (Milà et al., 2022, "Nearest neighbour distance matching Leave-One-Out
Cross-Validation for map validation", Methods in Ecology and Evolution 13).
"""

from dataclasses import dataclass
from itertools import combinations
from math import log

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from mlestar.evaluation.holdout.crossing import Crossing, count_crossing
from mlestar.evaluation.holdout.grouping import MAX_LOG_P
from mlestar.evaluation.holdout.pooled import Pooled

# The limits below were chosen by judgement; none was measured.
_MAX_RATIO = 0.5
"""Share of the crossings of a random split that blocks may have: pairs across the borders of blocks do cross."""
_MAX_JOINED_RATIO = 0.7
"""The same for pairs of joined pairs, which are further apart."""
_MIN_EXPECTED = 3.0
"""Crossings that a random split of joined pairs must give before their number is judged."""
_MAX_COLUMNS = 10
"""Columns of numbers with fractions that are tried in pairs where none are named as coordinates."""
_SAMPLE_PLACES = 20_000
"""Rows whose places are compared."""
_SIZES = 24
"""Sizes of blocks that are tried."""
_MIN_BLOCKS = 12
"""Blocks with rows of train that there must be to withhold some and leave others."""
_DRAWS = 4
"""Draws of blocks whose mean distance is compared for each size."""

_PARTNERS = {"lat": ("lon", "lng", "long"), "latitude": ("longitude",), "x": ("y",), "easting": ("northing",)}
_PARTNERS |= {"east": ("north",), "utme": ("utmn",), "xcoord": ("ycoord",), "xpos": ("ypos",), "posx": ("posy",)}
_PARTNERS |= {"coordx": ("coordy",), "coordinatex": ("coordinatey",), "xcoordinate": ("ycoordinate",)}


@dataclass(frozen=True)
class Blocks:
    """Blocks of places that were kept on one side."""

    columns: tuple[str, str]
    widths: tuple[float, float]
    """Size of a block along each column, in its unit."""
    crossing: Crossing
    test_distance: float
    """Mean distance of a test row to the nearest place of train, as a share of the block's size."""


def named_pairs(columns: list[str]) -> list[tuple[str, str]]:
    """List the pairs of columns that are named as coordinates of one place."""
    by_words = {_name_parts(column): column for column in columns}
    pairs: list[tuple[str, str]] = []
    for parts, column in by_words.items():
        for place, part in enumerate(parts):
            for partner in _PARTNERS.get(part, ()):
                other = by_words.get((*parts[:place], partner, *parts[place + 1 :]))
                pairs += [(column, other)] if other is not None else []
    return pairs


def find_blocks(pooled: Pooled, *, named: bool) -> Blocks | None:
    """Return the blocks in space that were kept on one side, by columns that are named as coordinates or by others."""
    if named:
        numbers = set(pooled.number_columns)
        pairs = [pair for pair in named_pairs(pooled.columns) if numbers.issuperset(pair)]
    else:
        reals = [column for column in pooled.number_columns if pooled.kind(column) == "real"][:_MAX_COLUMNS]
        pairs = list(combinations(reals, 2))
    tested = [(_pair_crossing(pooled, pair, log(max(len(pairs), 1))), pair) for pair in pairs]
    kept = [(crossing, pair) for crossing, pair in tested if crossing is not None]
    if not kept:
        return None
    crossing, pair = min(kept, key=lambda item: item[0].log_p)
    train, test = _places(pooled, pair)
    return _fit_blocks(pair, train, test, crossing)


def set_blocks(columns: tuple[str, str], train: pd.DataFrame, test: pd.DataFrame) -> Blocks | None:
    """Return the blocks for columns that a person names; None where they hold no numbers."""
    rows = pd.concat([train[list(columns)], test.reindex(columns=list(columns), fill_value="")], ignore_index=True)
    pooled = Pooled(rows, len(train), None, whole=True)
    if not set(columns) <= set(pooled.number_columns):
        return None
    first, second = _places(pooled, columns)
    nothing = Crossing(observed=0, expected=0.0, log_p=0.0, train_values=0, test_values=0)
    return _fit_blocks(columns, first, second, nothing)


def block_names(frame: pd.DataFrame, columns: tuple[str, ...], widths: tuple[float, ...]) -> pd.Series:
    """Return the block of each row; empty where a coordinate is missing."""
    numbers = frame[list(columns)].apply(lambda cells: pd.to_numeric(cells.str.strip(), errors="coerce"))
    cells = np.floor(numbers / np.asarray(widths))
    complete = cells.notna().all(axis=1)
    parts = cells.fillna(0).astype(int).astype(str)
    names: pd.Series = parts[columns[0]].str.cat(parts[columns[1]], sep=" ")
    return pd.Series(names.where(complete, ""))


def _name_parts(column: str) -> tuple[str, ...]:
    separated = "".join(
        f" {letter}" if letter.isupper() and place and column[place - 1].islower() else letter
        for place, letter in enumerate(column)
    )
    return tuple("".join(letter if letter.isalnum() else " " for letter in separated.lower()).split())


def _places(pooled: Pooled, pair: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of some rows of train and of test, in the units of the columns."""
    numbers = pooled.frame[list(pair)].apply(lambda cells: pd.to_numeric(cells.str.strip(), errors="coerce"))
    complete = np.isfinite(numbers).all(axis=1).to_numpy()
    in_train = np.arange(len(numbers)) < pooled.train_rows
    places = numbers.to_numpy(dtype=float)
    step = max(1, len(places) // _SAMPLE_PLACES)
    return places[complete & in_train][::step], places[complete & ~in_train][::step]


def _units(pair: tuple[str, str], places: np.ndarray) -> np.ndarray:
    """Return the length of one step along each column, so that distances mean the same along both."""
    parts = {part for column in pair for part in _name_parts(column)}
    if parts & {"lat", "latitude"}:
        middle = np.deg2rad(np.clip(np.median(places[:, 0]), -85, 85))
        return np.array([1.0, 1.0 / np.cos(middle)])
    if parts & (set(_PARTNERS) | {name for names in _PARTNERS.values() for name in names}):
        return np.ones(2)
    low, high = np.quantile(places, [0.05, 0.95], axis=0)
    return np.where(high > low, high - low, 1.0)


def _pair_crossing(pooled: Pooled, pair: tuple[str, str], log_trials: float) -> Crossing | None:
    """Return how often neighbours in space are on both sides, where that shows blocks; None otherwise."""
    train, test = _places(pooled, pair)
    if len(train) < _MIN_BLOCKS or not len(test):
        return None
    points = np.concatenate([train, test])
    points = points / _units(pair, points)
    points, first = np.unique(points, axis=0, return_index=True)
    in_test = first >= len(train)
    if len(points) < _MIN_BLOCKS:
        return None
    pairs = _mutual(points)
    crossing = _count(pairs, in_test)
    if crossing.ratio > _MAX_RATIO or crossing.log_p >= MAX_LOG_P - log_trials:
        return None
    same = pairs[in_test[pairs[:, 0]] == in_test[pairs[:, 1]]]
    if len(same) < 2:
        return None
    joined = _count(_mutual(points[same].mean(axis=1)), in_test[same[:, 0]])
    return None if joined.expected >= _MIN_EXPECTED and joined.ratio > _MAX_JOINED_RATIO else crossing


def _mutual(points: np.ndarray) -> np.ndarray:
    """Return the pairs of points that are each other's nearest neighbour."""
    nearest = cKDTree(points).query(points, k=2)[1][:, 1]
    own = np.arange(len(points))
    mutual = (nearest[nearest] == own) & (own < nearest)
    return np.column_stack([own[mutual], nearest[mutual]])


def _count(pairs: np.ndarray, in_test: np.ndarray) -> Crossing:
    codes = np.repeat(np.arange(len(pairs)), 2)
    sides = in_test[pairs].reshape(-1)
    return count_crossing(codes[~sides], codes[sides])


def _fit_blocks(pair: tuple[str, str], train: np.ndarray, test: np.ndarray, crossing: Crossing) -> Blocks:
    """Return blocks of the size at which withheld rows are as far from the rest as test is from train."""
    units = _units(pair, train)
    train, test = train / units, test / units
    low, high = train.min(axis=0), train.max(axis=0)
    extent = float((high - low).max()) or 1.0
    sizes = np.geomspace(extent / 200, extent / 2, _SIZES)
    sizes = sizes[[len(np.unique(_cells(train, size), axis=0)) >= _MIN_BLOCKS for size in sizes]]
    if not len(sizes):
        sizes = np.array([extent / 4])
    distance = float(cKDTree(train).query(test)[0].mean()) if len(test) else None
    if distance is None:
        size = float(sizes[len(sizes) // 2])
    else:
        share = len(test) / (len(train) + len(test))
        gaps = [abs(log(max(_withheld_distance(train, size, share), 1e-300) / max(distance, 1e-300))) for size in sizes]
        size = float(sizes[int(np.argmin(gaps))])
    width = (float(size * units[0]), float(size * units[1]))
    return Blocks(pair, width, crossing, (distance or 0.0) / size)


def _cells(points: np.ndarray, size: float) -> np.ndarray:
    return np.floor(points / size).astype(int)


def _withheld_distance(train: np.ndarray, size: float, share: float) -> float:
    """Return the mean distance of withheld rows to the rest when this share of the blocks is withheld."""
    codes = np.unique(_cells(train, size), axis=0, return_inverse=True)[1].reshape(-1)
    distances: list[float] = []
    for seed in range(_DRAWS):
        order = np.random.default_rng(seed).permutation(codes.max() + 1)
        reached = np.cumsum(np.bincount(codes)[order]) <= max(share, 0.1) * len(codes)
        withheld = np.isin(codes, order[reached]) if reached.any() else codes == order[0]
        if withheld.any() and not withheld.all():
            distances.append(float(cKDTree(train[~withheld]).query(train[withheld])[0].mean()))
    return float(np.mean(distances)) if distances else 0.0
