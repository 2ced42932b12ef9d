"""To which rows the records of a file belong: by keys, which are found by their values, or by the order of the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation.holdout.revealing.spelling import NOT_FOR_NUMBERS, SPELLINGS, Spelled, is_known, spell

# The limits below were chosen by judgement; none was measured.
_UNIQUE = 0.9
"""Different keys per row of train from which a key names a row."""
_SAMPLE = 300
"""Records that are looked up before all are."""
_SOME, _MOST = 0.05, 0.5
"""Share of the sample that must be keys: of a column with the same name or a key of rows, and of any other column. The
second is also the overlap from which columns of other names count together."""
_MAX_COLUMNS = 200
"""Columns of train, and of a file, that may be keys; of further ones those with the same name."""
_MAX_ALIGNMENTS = 8
"""Ways to join a file that are looked at, those with the most rows first."""

ROW_NUMBERS = {"row number from 0": 0, "row number from 1": 1}
"""Keys that every row has: its place in train, the rows of test after it."""


@dataclass(frozen=True)
class Alignment:
    """Records of a file and rows that have the same key; -1 is no key."""

    columns: tuple[str, ...]
    """Columns of the file that are the key; none where the order of the records is."""
    why: str
    records: np.ndarray
    train: np.ndarray
    test: np.ndarray
    names_rows: bool
    """A key names a row; False where several rows share it."""
    same_name: bool = False
    """The key has the name of the column of train."""
    overlap: float = 1.0
    """Different keys that both have, of all different ones in the records or train."""

    def rows(self) -> np.ndarray:
        """Return the row of train of each record, the first one of several with its key; -1 where there is none."""
        return np.asarray(first_places(self.train, max(self._size, 1))[self.records])

    def covered(self, records: np.ndarray) -> np.ndarray:
        """Return a mask of the rows of test that have one of these records (a mask)."""
        present = np.zeros(self._size + 1, dtype=bool)
        present[self.records[records]] = True
        present[-1] = False
        return np.asarray(present[self.test])

    def present(self) -> np.ndarray:
        """Return a mask of the rows of train that have a record."""
        return np.isin(self.train, self.records[self.records >= 0])

    def of_rows(self, withheld: np.ndarray) -> np.ndarray:
        """Return a mask of the records that only belong to withheld rows (a mask of train)."""
        codes = self.train[withheld]
        if not self.names_rows:
            codes = np.setdiff1d(codes, self.train[~withheld])
        return np.isin(self.records, codes[codes >= 0])

    @property
    def _size(self) -> int:
        return int(max((codes.max(initial=-1) for codes in (self.records, self.train, self.test)), default=-1)) + 1


@dataclass(frozen=True)
class _Key:
    """One column of train in one spelling, its different values numbered."""

    values: pd.Index
    train: np.ndarray
    test: np.ndarray
    share: float
    """Different values per row of train."""


@dataclass(frozen=True)
class KeySpace:
    """The columns of train that may be the key of another file."""

    train: pd.DataFrame
    test: pd.DataFrame
    names: tuple[str, ...]
    _keys: dict[tuple[str, str], _Key | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of_task(cls, task: Task) -> "KeySpace":
        """Return the columns of a task besides the targets and those that only train has."""
        spec, train, test = task.spec, task.train.rows, task.test.rows
        names = [str(name) for name in train.columns if name not in spec.target]
        return cls(train, test, tuple(names))

    def key(self, name: str, spelling: str) -> _Key | None:
        """Return a column in one spelling; None where it cannot be read in it, or has one value."""
        if (name, spelling) not in self._keys:
            number = None if spelling == "number" else self.key(name, "number")
            is_read = number is None or spelling not in NOT_FOR_NUMBERS
            # The digits of whole numbers are these numbers.
            same = spelling == "digits" and number is not None and _are_whole(number.values)
            self._keys[name, spelling] = number if same else self._read(name, spelling) if is_read else None
        return self._keys[name, spelling]

    def align(self, cells: pd.DataFrame) -> list[Alignment]:
        """Return the ways in which the records of a file belong to rows, those with the most rows of train first."""
        single = [found for column in cells.columns[:_MAX_COLUMNS] for found in self._by_column(cells, str(column))]
        joined = self._by_several(cells, single)
        return _most_rows([*[alignment for alignment, _ in single], *joined, *self._by_order(len(cells))])

    def _read(self, name: str, spelling: str) -> _Key | None:
        spelled = self._spell(name, spelling)
        if spelled is None:
            return None
        nothing: Any = None if spelled.dtype == object else np.nan
        codes, values = pd.factorize(np.where(is_known(spelled), spelled, nothing))
        train, test = np.split(codes, [len(self.train)])
        distinct = len(np.unique(train[train >= 0]))
        # pandas would give texts a type of its own, which no column of a file compares equal to.
        return (
            _Key(pd.Index(values, dtype=values.dtype), train, test, distinct / max(len(train), 1))
            if distinct > 1
            else None
        )

    def _spell(self, name: str, spelling: str) -> Spelled | None:
        """Return the values of train and test in one spelling; where test has the column in none, it has no values."""
        if name in ROW_NUMBERS:
            return np.arange(len(self.train) + len(self.test), dtype=float) + ROW_NUMBERS[name]
        train = spell(self.train[name], spelling)
        if train is None:
            return None
        test = spell(self.test[name], spelling) if name in self.test.columns and len(self.test) else None
        if test is None or test.dtype != train.dtype:
            missing: Any = np.nan if train.dtype == float else ""
            test = np.full(len(self.test), missing, dtype=train.dtype)
        return np.concatenate([train, test])

    def _by_column(self, cells: pd.DataFrame, column: str) -> Iterator[tuple[Alignment, str]]:
        """Yield the columns of train that have the values of a column of a file, in the strictest spelling."""
        taken: set[str] = set()
        sample = cells[column].iloc[:: max(1, len(cells) // _SAMPLE)]
        is_number = len(sample) > 0 and spell(sample, "number") is not None
        for spelling in SPELLINGS:
            if is_number and spelling in NOT_FOR_NUMBERS:
                continue
            head = spell(sample, spelling) if len(sample) else None
            if head is None or not is_known(head).any():
                continue
            names = [name for name in self._candidates(column, spelling) if name not in taken]
            matches = [name for name in names if self._matches(head, name, spelling, column)]
            spelled = spell(cells[column], spelling) if matches else None
            for name in matches:
                key = self.key(name, spelling)
                if key is not None and spelled is not None and spelled.dtype == key.values.dtype:
                    taken.add(name)
                    yield self._single(spelled, key, column, name), name

    def _candidates(self, column: str, spelling: str) -> list[str]:
        own = [name for place, name in enumerate(self.names) if place < _MAX_COLUMNS or name == column]
        return [*own, *ROW_NUMBERS] if spelling == "number" else own

    def _matches(self, head: Spelled, name: str, spelling: str, column: str) -> bool:
        key = self.key(name, spelling)
        if key is None or head.dtype != key.values.dtype:
            return False
        known = head[is_known(head)]
        share = (key.values.get_indexer(pd.Index(known)) >= 0).mean()
        is_likely = name == column or (key.share >= _UNIQUE and name not in ROW_NUMBERS)
        return bool(share >= (_SOME if is_likely else _MOST))

    def _single(self, spelled: Spelled, key: _Key, column: str, name: str) -> Alignment:
        known = is_known(spelled)
        records = np.where(known, key.values.get_indexer(pd.Index(spelled)), -1)
        own, theirs = np.unique(key.train[key.train >= 0]), pd.unique(spelled[known])
        both = np.isin(np.unique(records[records >= 0]), own).sum()
        return Alignment(
            (column,),
            f"{column} = {name}",
            records,
            key.train,
            key.test,
            key.share >= _UNIQUE,
            same_name=column == name,
            overlap=float(both / (len(own) + len(theirs) - both)),
        )

    def _by_order(self, count: int) -> Iterator[Alignment]:
        """Yield the order of train, and of train and test, where a file has as many records."""
        rows, others = len(self.train), len(self.test)
        train, none = np.arange(rows), np.full(others, -1)
        if count == rows:
            yield Alignment((), "the order of the rows", train, train, none, True)
        elif others and count == rows + others:
            both = np.arange(count)
            yield Alignment((), "the order of the rows, train first", both, train, rows + np.arange(others), True)
            yield Alignment((), "the order of the rows, test first", both, others + train, np.arange(others), True)

    def _by_several(self, cells: pd.DataFrame, single: Sequence[tuple[Alignment, str]]) -> list[Alignment]:
        """Return the way by all columns that have the values of columns of train, each by the best of these."""
        best: dict[str, Alignment] = {}
        for alignment, name in sorted(single, key=lambda item: (item[0].same_name, item[0].overlap)):
            if name not in ROW_NUMBERS and (alignment.same_name or alignment.overlap >= _MOST):
                best[alignment.columns[0]] = alignment
        parts = list(best.values())
        if len(parts) < 2:
            return []
        return [_join(parts)]


def _join(parts: Sequence[Alignment]) -> Alignment:
    """Return the alignment by several keys at once."""
    first = parts[0]
    sizes = len(first.records), len(first.train), len(first.test)
    joined = np.zeros(sum(sizes), dtype=np.int64)
    known = np.ones(sum(sizes), dtype=bool)
    for part in parts:
        codes = np.concatenate([part.records, part.train, part.test])
        known &= codes >= 0
        joined = pd.factorize(joined * (int(codes.max()) + 2) + codes + 1)[0].astype(np.int64)
    joined = np.where(known, joined, -1)
    records, train, test = np.split(joined, np.cumsum(sizes)[:2])
    columns = tuple(column for part in parts for column in part.columns)
    share = len(np.unique(train[train >= 0])) / max(len(train), 1)
    named = all(part.same_name for part in parts)
    why = " and ".join(part.why for part in parts)
    return Alignment(columns, why, records, train, test, share >= _UNIQUE, same_name=named)


def _most_rows(aligned: Sequence[Alignment]) -> list[Alignment]:
    """Return different alignments, those that name rows first, and of these the ones with the most rows."""
    chosen: dict[bytes, Alignment] = {}
    sizes = [
        (not alignment.names_rows, -int(alignment.present().sum()), not alignment.same_name) for alignment in aligned
    ]
    for place in sorted(range(len(aligned)), key=lambda place: sizes[place]):
        alignment = aligned[place]
        chosen.setdefault(alignment.rows().tobytes(), alignment)
    rows = [alignment for alignment in chosen.values() if alignment.names_rows]
    shared = [alignment for alignment in chosen.values() if not alignment.names_rows]
    return rows[:_MAX_ALIGNMENTS] + shared[:_MAX_ALIGNMENTS]


def _are_whole(values: pd.Index) -> bool:
    numbers = values.to_numpy(dtype=float)
    return bool(((numbers >= 0) & (numbers % 1 == 0)).all())


def first_places(codes: np.ndarray, size: int) -> np.ndarray:
    """Return the first place of each code, -1 where it does not occur; the last entry is that of the code -1."""
    places = np.full(size + 1, -1)
    known = np.flatnonzero(codes >= 0)[::-1]
    places[codes[known]] = known
    return places
