"""What records reveal: values that determine labels of rows, and statistics of the target by key."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from mlestar.data.statistics import MISSING
from mlestar.evaluation.holdout.revealing.alignment import Alignment, KeySpace, first_places
from mlestar.evaluation.holdout.revealing.codes import BY_CODE
from mlestar.evaluation.holdout.revealing.determination import (
    MIN_ROWS,
    determine_together,
    determines,
    says_class,
)
from mlestar.evaluation.holdout.revealing.labels import Labels
from mlestar.evaluation.holdout.revealing.rates import statistics
from mlestar.evaluation.holdout.revealing.records import join_cells
from mlestar.evaluation.holdout.revealing.variants import variants
from mlestar.evaluation.holdout.revealing.views import forms

# The limits below were chosen by judgement; none was measured.
_SAMPLE = 4000
"""Rows that are compared with the records that belong to them."""
_MAX_OF_ROW = 20
"""Records of a row that are looked at, the first ones."""
_COVERED = 0.5
"""Share of the test rows, of that of the train rows, for which a file must have a value for it to be a feature."""
_STRAY = 0.1
"""Share of the train rows up to which a file is one of the test rows."""
_COMMONEST = 0.9
"""Share of one value among the test rows from which it stands for a missing one, where it is rarer in train."""
_MAX_RATES = 200
"""Columns of a file that are compared with statistics of the target."""
_MAX_GROUPS = 20
"""Columns of train by which the values of a file may be statistics."""
_REPEATED = 0.5
"""Different values per row up to which a column of a file may be a statistic of groups of rows."""
_SPREAD = 0.5
"""Share of the rows for which a file must have a statistic of their group."""

_NAMED = 0.5
"""Share of the records that must name another row."""
PLACE = "the place in the file"
_MAX_SORTED = 50
"""Columns by which the records of a file may be sorted."""
_ORDERED = 0.95
"""Rank correlation with the place from which records are sorted by a column."""
_FEWEST = 0.1
"""Different values per record of a column by which records are sorted: with fewer it may be the class itself."""


@dataclass(frozen=True)
class Leak:
    """A way in which records reveal labels."""

    kind: Literal["rows", "rate", "order", "place"]
    """`rows`: values of single rows; `rate`: a column that holds statistics; `order`: labels in a form that cannot be
    cut, since the records are not those of the file; `place`: the order of the records, of which those of test are
    some."""
    column: str
    why: str
    alignment: Alignment | None = None


@dataclass(frozen=True)
class Secrets:
    """What files are compared with."""

    space: KeySpace
    labels: tuple[Labels, ...]
    hidden: frozenset[str]
    """Columns of train that no file may repeat for train alone: the targets and what the test does not have."""
    id: str | None = None

    def find(self, cells: pd.DataFrame, siblings: Callable[[], list[pd.DataFrame]]) -> list[Leak]:
        """Return what records reveal.

        Args:
            cells: the records.
            siblings: returns the records of other files with the same columns, which may hold the test rows.
        """
        leaks: list[Leak] = []
        aligned = self.space.align(cells)
        for alignment in aligned:
            leaks += self._of_rows(cells, alignment, siblings, aligned)
        if not leaks and len(cells) + cells.shape[1] < MIN_ROWS and _characters_in(cells) < len(self.space.train):
            # Too little to conclude anything, as in a file of one row.
            return self._unkeyed(cells, aligned)
        leaks += self._rates(cells, aligned)
        return leaks or self._otherwise(cells, siblings) or self._unkeyed(cells, aligned)

    def find_beside_names(self, cells: pd.DataFrame) -> list[Leak]:
        """Return what the words beside the names of rows in a text reveal; the first column has the names."""
        key = str(cells.columns[0])
        aligned = [alignment for alignment in self.space.align(cells) if alignment.columns == (key,)]
        leaks = [leak for alignment in aligned for leak in self._of_rows(cells, alignment, list)]
        return [Leak("order", leak.column, f"{leak.why}, in its text") for leak in leaks]

    def _otherwise(self, cells: pd.DataFrame, siblings: Callable[[], list[pd.DataFrame]]) -> list[Leak]:
        """Return what the records reveal when they are read in another way; the file cannot be cut then."""
        rows, others = len(self.space.train), len(self.space.test)
        for variant in variants(cells, (rows, rows + others)):

            def read_alike(variant: pd.DataFrame = variant) -> list[pd.DataFrame]:
                alike = [other for cells in siblings() for other in variants(cells, (others, rows + others))]
                return [other for other in alike if list(other.columns) == list(variant.columns)]

            aligned = self.space.align(variant)
            leaks = [leak for alignment in aligned for leak in self._of_rows(variant, alignment, read_alike)]
            if leaks:
                return [Leak("order", leak.column, leak.why) for leak in leaks]
        return []

    def _of_rows(
        self,
        cells: pd.DataFrame,
        alignment: Alignment,
        siblings: Callable[[], list[pd.DataFrame]],
        aligned: Sequence[Alignment] = (),
    ) -> Iterator[Leak]:
        """Yield the columns that determine labels for rows of train and have no value for those of test."""
        rows = alignment.rows()
        matched = _sample_rows(rows)
        if len(np.unique(rows[matched])) < (1 if alignment.same_name else MIN_ROWS):
            return
        targets = [self._single(labels, alignment) for labels in self.labels]
        alone = cells
        cells = cells.assign(**_besides(cells, alignment), **self._neighbours(cells, alignment, aligned))
        by_name = alignment.names_rows and alignment.same_name
        none = True
        for column in map(str, cells.columns):
            if column in alignment.columns:
                continue
            values = cells[column].iloc[matched]
            is_hidden = by_name and column in self.hidden and bool((values != "").any())
            one = _first_filled(values, rows[matched])
            labels = [part.take(rows[matched][one]) for part in targets]
            if not (is_hidden or determines(values.iloc[one], *labels)):
                continue
            if column == PLACE and self._is_sorted(cells, rows):
                continue
            why = f"{column!r} determines the target ({alignment.why})"
            if not self._covers_test(cells, column, alignment, siblings):
                none = False
                yield Leak("rows", column, why, alignment)
            elif column == PLACE:
                yield Leak("place", column, why)
        if none:
            yield from self._together(alone, alignment, matched, siblings)
        yield from self._presence(alignment)

    def _neighbours(
        self, cells: pd.DataFrame, alignment: Alignment, aligned: Sequence[Alignment]
    ) -> dict[str, pd.Series]:
        """Return the labels of other rows that the records name, as in pairs of rows of one class."""
        columns: dict[str, pd.Series] = {}
        for other in aligned:
            if not (alignment.names_rows and other.names_rows and len(other.columns) == 1) or (
                set(other.columns) & set(alignment.columns) or not alignment.columns
            ):
                continue
            rows, own = other.rows(), alignment.rows()
            both = (rows >= 0) & (own >= 0)
            if both.mean() < _NAMED or (rows == own)[both].mean() >= _NAMED:
                continue
            for labels in self.labels:
                texts = pd.Series(labels.take(rows).texts, index=cells.index, dtype=str)
                columns[f"{labels.name!r} of {other.columns[0]!r}"] = texts
        return columns

    def _is_sorted(self, cells: pd.DataFrame, rows: np.ndarray) -> bool:
        """Return whether the records are in the order of a column of the file or of train, which then is no secret."""
        matched = np.flatnonzero(rows >= 0)
        columns = [cells[column].iloc[matched] for column in cells.columns[:_MAX_SORTED] if column != PLACE]
        shared = [name for name in self.space.names if name in self.space.test.columns and name != self.id]
        columns += [self.space.train[name].iloc[rows[matched]] for name in shared[:_MAX_SORTED]]
        return any(_is_ordered(column) for column in columns)

    def _together(
        self,
        cells: pd.DataFrame,
        alignment: Alignment,
        matched: np.ndarray,
        siblings: Callable[[], list[pd.DataFrame]],
    ) -> Iterator[Leak]:
        """Yield the columns where only several of them together determine labels."""
        others = [str(column) for column in cells.columns if column not in alignment.columns]
        rows, first = np.unique(alignment.rows()[matched], return_index=True)
        # Most files hold the test rows too, or one column.
        if len(others) < 2 or not alignment.names_rows or self._covers_test(cells, others[0], alignment, list):
            return
        part = cells[others].iloc[matched[first]]
        if not any(determine_together(part, labels.take(rows)) for labels in self.labels):
            return
        if not all(self._covers_test(cells, column, alignment, siblings) for column in others):
            yield Leak("rows", others[0], f"its columns together determine the target ({alignment.why})", alignment)

    def _single(self, labels: Labels, alignment: Alignment) -> Labels:
        """Return the labels, without those of rows that share their key with rows of another label."""
        if alignment.names_rows:
            return labels
        size = int(alignment.train.max(initial=-1)) + 2
        known = labels.codes >= 0
        low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
        np.minimum.at(low, alignment.train[known], labels.codes[known])
        np.maximum.at(high, alignment.train[known], labels.codes[known])
        same = (low == high)[alignment.train] & (alignment.train >= 0)
        return labels.take(np.where(same & known, np.arange(len(known)), -1))

    def _presence(self, alignment: Alignment) -> Iterator[Leak]:
        """Yield the key itself where having a record is what tells the class, as in a list of the rows of one class."""
        if not alignment.names_rows or not alignment.columns:
            return
        present = alignment.present()
        share = present.mean()
        if share in (0, 1) or not any(says_class(present, labels) for labels in self.labels):
            return
        if alignment.covered(np.ones(len(alignment.records), dtype=bool)).sum() < _COVERED * share * len(
            alignment.test
        ):
            column = alignment.columns[0]
            yield Leak("rows", column, f"which rows it lists determines the target ({alignment.why})", alignment)

    def _covers_test(
        self,
        cells: pd.DataFrame,
        column: str,
        alignment: Alignment,
        siblings: Callable[[], list[pd.DataFrame]],
    ) -> bool:
        """Return whether the file, or others of its form, hold the column for the real test rows too."""
        rows = len(alignment.test)
        if not rows:
            return False
        train = alignment.rows() >= 0
        usual = cells[column][train].value_counts(normalize=True)
        covered = alignment.covered(_informative(cells[column], usual, ~train))
        share = alignment.present().mean()
        if covered.mean() >= _COVERED * share:
            return True
        for other in siblings():
            if column in other.columns:
                covered |= self._covered_by(other, column, alignment, usual)
        return bool(covered.mean() >= _COVERED * share)

    def _covered_by(self, other: pd.DataFrame, column: str, alignment: Alignment, usual: pd.Series) -> np.ndarray:
        """Return a mask of the test rows for which another file of the same form has a value."""
        rows = len(alignment.test)
        if not alignment.columns:
            filled = _informative(other[column], usual, np.ones(len(other), dtype=bool))
            return filled if len(other) == rows else np.zeros(rows, dtype=bool)
        covered = np.zeros(rows, dtype=bool)
        for found in self.space.align(other):
            # A file that has rows of train as well is another table with the same names.
            if found.columns == alignment.columns and found.present().mean() < _STRAY:
                covered |= found.covered(_informative(other[column], usual, found.rows() < 0))
        return covered

    def _rates(self, cells: pd.DataFrame, aligned: list[Alignment]) -> Iterator[Leak]:
        """Yield the columns that hold statistics of the target by a key that several rows share."""
        numbers = {
            column: values
            for column in map(str, cells.columns[:_MAX_RATES])
            if _is_varied(values := _read(cells[column]))
        }
        for alignment in aligned:
            if not alignment.names_rows:
                keys, size = alignment.train, int(max(alignment.train.max(), alignment.records.max())) + 1
                columns = {
                    column: _by_key(values, alignment.records, size)
                    for column, values in numbers.items()
                    if column not in alignment.columns
                }
                yield from self._compare(columns, keys, size, alignment.why)
            else:
                yield from self._spread(numbers, alignment)

    def _spread(self, numbers: dict[str, np.ndarray], alignment: Alignment) -> Iterator[Leak]:
        """Yield the columns that hold, for each row, a statistic of the group that the row is in."""
        record = first_places(alignment.records, int(max(alignment.records.max(), alignment.train.max())) + 1)
        record = record[alignment.train]
        if (record >= 0).mean() < _SPREAD:
            return
        rows = {column: np.where(record >= 0, values[record], np.nan) for column, values in numbers.items()}
        rows = {column: values for column, values in rows.items() if _is_repeated(values)}
        for name in self.space.names[:_MAX_GROUPS] if rows else ():
            key = self.space.key(name, "text")
            if key is None or key.share > _REPEATED:
                continue
            size = int(key.train.max()) + 1
            groups = {column: _by_key(values, key.train, size) for column, values in rows.items()}
            constant = {column: values for column, values in groups.items() if _spreads(values, key.train)}
            yield from self._compare(constant, key.train, size, f"by {name}")

    def _compare(self, columns: dict[str, np.ndarray], keys: np.ndarray, size: int, why: str) -> Iterator[Leak]:
        left = {column: values for column, values in columns.items() if np.isfinite(values).sum() > 1}
        if not left:
            return
        for labels in self.labels:
            for target in labels.columns():
                for statistic in statistics(target, keys, size):
                    for column in [column for column, values in left.items() if statistic.is_in(values)]:
                        del left[column]
                        yield Leak("rate", column, f"{column!r} is the {statistic.name} of the target ({why})")

    def _unkeyed(self, cells: pd.DataFrame, aligned: list[Alignment]) -> list[Leak]:
        """Return the leak of a file of labels alone, of which nothing says to which rows they belong."""
        targets = {labels.name for labels in self.labels} & set(cells.columns)
        others = set(cells.columns) - self.hidden
        if not targets or others or aligned:
            return []
        return [Leak("order", min(targets), f"it holds {min(targets)!r} and no key to the rows it belongs to")]


def _characters_in(cells: pd.DataFrame) -> int:
    return sum(int(cells[column].str.len().sum()) for column in cells.columns)


def _besides(cells: pd.DataFrame, alignment: Alignment) -> dict[str, pd.Series]:
    """Return what records reveal besides their cells: how many a row has, and how its key is written."""
    if not alignment.names_rows or not alignment.columns or BY_CODE in alignment.why:
        return {}
    sizes = np.bincount(alignment.records + 1)
    counts = pd.Series(sizes[alignment.records + 1], index=cells.index).astype(str)
    keys = join_cells(cells, alignment.columns)
    forms_of_keys = pd.Series(forms(keys.tolist()), index=cells.index, dtype=str)
    kinds = forms_of_keys.map(lambda form: "".join(sorted(set(form))))
    place = pd.Series(np.arange(len(cells)), index=cells.index).astype(str)
    columns = {"the number of its records": counts, "the form of its key": kinds, PLACE: place}
    return {name: column for name, column in columns.items() if column.nunique() > 1}


def _sample_rows(rows: np.ndarray) -> np.ndarray:
    """Return the places of the records that are compared with labels: the first ones of a sample of the rows of train.

    Args:
        rows: the row of each record; -1 where it belongs to none.
    """
    matched = np.flatnonzero(rows >= 0)
    order = matched[np.argsort(rows[matched], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(rows[order]) > 0]) if len(order) else order
    lengths = np.diff(np.r_[starts, len(order)])
    nth = np.arange(len(order)) - np.repeat(starts, lengths)
    if len(starts) > _SAMPLE:
        chosen = np.zeros(len(starts), dtype=bool)
        chosen[np.random.default_rng(0).choice(len(starts), _SAMPLE, replace=False)] = True
        nth[~np.repeat(chosen, lengths)] = _MAX_OF_ROW
    return np.sort(order[nth < _MAX_OF_ROW])


def _first_filled(values: pd.Series, rows: np.ndarray) -> np.ndarray:
    """Return the places of one value for each row: the first that is not missing, or the first of all.

    A row must not count as a neighbour of itself: a file with several records for each row, in the order of the rows,
    would seem to tell their labels by any value that changes slowly.
    """
    if len(np.unique(rows)) == len(rows):
        return np.arange(len(rows))
    missing = values.str.strip().isin(MISSING).to_numpy()
    order = np.lexsort((missing, rows))
    return np.sort(order[np.unique(rows[order], return_index=True)[1]])


def _is_ordered(cells: pd.Series) -> bool:
    """Return whether cells are in the order of their values, as numbers or as texts."""
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    if np.isfinite(values).mean() < _ORDERED:
        values = pd.factorize(cells, sort=True)[0].astype(float)
    known = values[np.isfinite(values)]
    if len(known) < MIN_ROWS or np.ptp(known) == 0 or len(np.unique(known)) < _ORDERED * _FEWEST * len(known):
        return False
    places = np.arange(len(known))
    return bool(abs(np.corrcoef(rankdata(known), places)[0, 1]) >= _ORDERED)


def _informative(cells: pd.Series, usual: pd.Series, others: np.ndarray) -> np.ndarray:
    """Return a mask of the cells with a value, leaving out one that stands for missing ones among the other records."""
    filled = ~cells.str.strip().isin(MISSING).to_numpy()
    counts = cells[filled & others].value_counts(normalize=True)
    if len(counts) and counts.iloc[0] >= _COMMONEST and usual.get(counts.index[0], 0.0) < _COMMONEST:
        filled &= (cells != counts.index[0]).to_numpy()
    return np.asarray(filled)


def _read(cells: pd.Series) -> np.ndarray:
    return np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=float)


def _is_varied(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) > 1 and bool(np.ptp(finite) > 0)


def _is_repeated(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return _is_varied(values) and len(np.unique(finite)) <= _REPEATED * len(finite)


def _spreads(values: np.ndarray, keys: np.ndarray) -> bool:
    """Return whether most rows belong to a key with one value."""
    return bool((np.isfinite(values)[keys] & (keys >= 0)).mean() >= _SPREAD)


def _by_key(values: np.ndarray, keys: np.ndarray, size: int) -> np.ndarray:
    """Return the value of each key; NaN where it has several, or none."""
    usable = (keys >= 0) & np.isfinite(values)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, keys[usable], values[usable])
    np.maximum.at(high, keys[usable], values[usable])
    return np.where(low == high, low, np.nan)
