"""Whether the values of a column determine the labels of their rows."""

import math

import numpy as np
import pandas as pd

from mlestar.data.statistics import MISSING
from mlestar.data.tables.numbers import find_style, read_numbers
from mlestar.evaluation.holdout.revealing.labels import Labels
from mlestar.evaluation.holdout.revealing.records import join_cells
from mlestar.evaluation.holdout.revealing.views import views
from mlestar.metrics import canonical_labels

MIN_ROWS = 20
"""Rows with a label below which nothing can be concluded. Chosen by judgement; not measured."""
_CLASSES = 0.8
"""Share of the errors of always naming the most common class that the values must avoid: 90 % of the labels of two
equal classes. Chosen by judgement; not measured."""
_VALUES = 0.95
"""Share of the variance of the labels' ranks that the values must explain: of normal numbers, a correlation of about
0.975. Chosen by judgement; not measured."""
_EQUAL = 0.9
"""Share of the labels that cells must repeat. Chosen by judgement; not measured."""
_CHANCE = 1e-5
"""Probability below which labels cannot be in order by chance. Chosen by judgement; not measured."""
_REPEATED = 0.5
"""Share of the rows that must share their value with another row. Chosen by judgement; not measured."""
_WIDTHS = (1, 5)
"""Neighbours on either side whose mean predicts a label: one for exact values, five for noisy ones."""
_MAX_COLUMNS = 100
"""Columns of numbers that are looked at together. Chosen by judgement; not measured."""
_MIN_SHARE = 10
"""Rows for each column from which a straight line through all of them means something. Chosen by judgement."""
_FEW_VALUES = 0.1
"""Different values per row up to which columns are joined as categories. Chosen by judgement; not measured."""
_NUMBERS = 0.99
"""Share of the cells that must be numbers. Chosen by judgement; not measured."""


def determines(cells: pd.Series, *labels: Labels) -> bool:
    """Return whether any of these labels can be read from cells: by any function of them that other rows show.

    Empty cells are left out; where they say something too, all rows are looked at.
    """
    texts = cells.str.strip()
    is_filled = ~texts.isin(MISSING).to_numpy()
    for part in labels:
        known = part.codes >= 0
        filled = is_filled & known
        if _of_rows(texts, part, filled):
            return True
        if filled.sum() < known.sum() and _of_rows(texts.where(filled, ""), part, known):
            return True
    return any(_of_rows(view, part, is_filled & (part.codes >= 0)) for view in views(cells) for part in labels)


def determine_together(cells: pd.DataFrame, labels: Labels) -> bool:
    """Return whether labels can be read from several columns together: as categories, or as a weighted sum."""
    rows = np.flatnonzero(labels.codes >= 0)
    if len(rows) < MIN_ROWS:
        return False
    cells, part = cells.iloc[rows], labels.take(rows)
    few = [column for column in cells.columns if cells[column].nunique() <= _FEW_VALUES * len(cells)]
    if len(few) > 1 and determines(join_cells(cells, few), part):
        return True
    read = [_numbers(cells[column].str.strip()) for column in cells.columns[:_MAX_COLUMNS]]
    numbers = [values for values in read if values is not None]
    return 1 < len(numbers) <= len(cells) / _MIN_SHARE and _by_sum(np.nan_to_num(np.column_stack(numbers)), part)


def _by_sum(numbers: np.ndarray, labels: Labels) -> bool:
    """Return whether a weighted sum that fits half of the rows determines the labels of the others."""
    half = np.random.default_rng(0).permutation(len(numbers)) % 2 == 0
    scaled = (numbers - numbers.mean(axis=0)) / np.where(numbers.std(axis=0) > 0, numbers.std(axis=0), 1)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    wanted = labels.columns() if labels.ranks is None else [labels.ranks, labels.columns()[0]]
    weights = np.linalg.lstsq(design[half], np.nan_to_num(np.column_stack(wanted))[half], rcond=None)[0]
    sums, rest = design[~half] @ weights, labels.take(np.flatnonzero(~half))
    if labels.ranks is None and len(wanted) > 1:
        return _of_classes(sums.argmax(axis=1), None, rest.codes)
    return any(determines(pd.Series(column).astype(str), rest) for column in sums.T)


def says_class(present: np.ndarray, labels: Labels) -> bool:
    """Return whether a row has a certain class where the mask is true, and another one where it is not."""
    known = labels.codes >= 0
    return not labels.is_value and _of_classes(present[known].astype(int), None, labels.codes[known])


def _of_rows(texts: pd.Series, labels: Labels, rows: np.ndarray) -> bool:
    if rows.sum() < MIN_ROWS:
        return False
    cells = texts[rows]
    part = labels.take(np.flatnonzero(rows))
    if _repeats(cells, part):
        return True
    groups, values = pd.factorize(cells)[0], _numbers(cells)
    if not part.is_value and _of_classes(groups, values, part.codes):
        return True
    ranks = part.ranks
    return ranks is not None and _of_values(groups, values, ranks)


def _repeats(cells: pd.Series, labels: Labels) -> bool:
    """Return whether cells are the labels."""
    if len(np.unique(labels.codes)) < 2:
        return False
    commonest = np.bincount(labels.codes).max() / len(labels.codes)
    equal = (canonical_labels(cells) == labels.texts).mean()
    return bool(equal > max(_EQUAL, commonest)) and _is_no_chance(labels.codes)


def _numbers(cells: pd.Series) -> np.ndarray | None:
    """Return the numbers that cells are, in any style."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    if np.isfinite(numbers).mean() < _NUMBERS:
        style = find_style(cells.unique())
        if style is None:
            return None
        numbers = read_numbers(cells, style)
    return numbers if np.isfinite(numbers).mean() >= _NUMBERS and np.ptp(np.nan_to_num(numbers)) > 0 else None


def _of_classes(groups: np.ndarray, values: np.ndarray | None, classes: np.ndarray) -> bool:
    """Return whether classes follow from groups of equal values, or from the rows with the nearest value."""
    classes = np.unique(classes, return_inverse=True)[1]
    if not _is_no_chance(classes):
        return False
    common = np.bincount(classes).max()
    needed = common + _CLASSES * (len(classes) - common)
    if _grouped_hits(groups, classes) >= needed:
        return True
    if values is not None and _nearest_hits(values, classes) >= needed:
        return True
    return classes.max() > 1 and groups.max() == 1 and _is_one_class(groups, classes)


def _is_one_class(groups: np.ndarray, classes: np.ndarray) -> bool:
    """Return whether one of two groups is a class of several."""
    of_one = np.bincount(classes[groups == 1], minlength=classes.max() + 1)
    of_other = np.bincount(classes[groups == 0], minlength=classes.max() + 1)
    suspects = {int(of_one.argmax()), int(of_other.argmax())}
    return any(_of_classes(groups, None, (classes == suspect).astype(int)) for suspect in suspects)


def _is_no_chance(classes: np.ndarray) -> bool:
    """Return whether there are enough rows of the rarer classes for an order of the rows by class to mean something."""
    rows = len(classes)
    rare = rows - int(np.bincount(classes - classes.min()).max())
    ways = math.lgamma(rows + 1) - math.lgamma(rare + 1) - math.lgamma(rows - rare + 1)
    return rare > 0 and math.log(rows) - ways < math.log(_CHANCE)


def _grouped_hits(groups: np.ndarray, classes: np.ndarray) -> float:
    """Return how many rows have the class that most other rows of their group have."""
    width = int(classes.max()) + 1
    pairs, counts = np.unique(np.asarray(groups, dtype=np.int64) * width + classes, return_counts=True)
    order = np.lexsort((-counts, pairs // width))
    owners, counts = (pairs // width)[order], counts[order]
    first = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
    top = counts[first]
    has_second = np.r_[owners[1:] == owners[:-1], False][first]
    second = np.where(has_second, counts[np.minimum(first + 1, len(counts) - 1)], 0)
    return float(np.dot(top, top - 1 > second))


def _nearest_hits(values: np.ndarray, classes: np.ndarray) -> float:
    """Return how many rows have the class of the row with the nearest value."""
    order = np.argsort(values, kind="stable")
    steps = np.abs(np.diff(values[order]))
    same = np.diff(classes[order]) == 0
    before, after = np.r_[np.inf, steps], np.r_[steps, np.inf]
    is_before = before < after
    return float(np.count_nonzero(np.where(is_before, np.r_[False, same], np.r_[same, False])))


def _of_values(groups: np.ndarray, values: np.ndarray | None, ranks: np.ndarray) -> bool:
    total = float(ranks.var())
    if total == 0:
        return False
    if values is not None and any(_smoothed_error(values, ranks, width) <= (1 - _VALUES) * total for width in _WIDTHS):
        return True
    return _grouped_error(groups, ranks) <= (1 - _VALUES) * total


def _smoothed_error(values: np.ndarray, ranks: np.ndarray, width: int) -> float:
    """Return the mean squared error of predicting each rank by those of the rows with the nearest values."""
    ordered = ranks[np.argsort(values, kind="stable")]
    sums = np.r_[0.0, np.cumsum(ordered)]
    place = np.arange(len(ordered))
    low, high = np.maximum(place - width, 0), np.minimum(place + width + 1, len(ordered))
    others = (sums[high] - sums[low] - ordered) / (high - low - 1)
    return float(np.mean((ordered - others) ** 2))


def _grouped_error(groups: np.ndarray, ranks: np.ndarray) -> float:
    """Return the mean squared error of predicting each rank by that of the rows with an equal value."""
    sizes = np.bincount(groups)[groups]
    several = sizes > 1
    if several.mean() < _REPEATED or len(np.unique(groups)) < 2:
        return math.inf
    others = (np.bincount(groups, ranks)[groups] - ranks) / np.maximum(sizes - 1, 1)
    return float(np.mean((ranks - others)[several] ** 2))
