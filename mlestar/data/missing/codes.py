"""Which codes a column holds, by what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from mlestar.data.missing.numbers import equals_code, parse_numbers
from mlestar.data.missing.spikes import find_shared, find_spikes, is_outside
from mlestar.data.missing.words import find_words

Source = Literal["description", "values", "setting"]


@dataclass(frozen=True)
class ColumnCodes:
    """The codes of one column, as they are spelled in its cells, the most frequent first."""

    codes: tuple[str, ...]
    source: Source


@dataclass(frozen=True)
class MissingRules:
    """What is known of codes before the cells are read."""

    setting: tuple[str, ...] | None = None
    """The codes that the user set, of every column; no others are looked for. None when nothing was set."""
    everywhere: tuple[str, ...] = ()
    """Codes that the description names for all columns."""
    by_column: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Codes that the description names for a column."""
    known: Mapping[str, ColumnCodes] = field(default_factory=dict)
    """Codes that another table has in the column of the same name."""
    exempt: frozenset[str] = frozenset()
    """Columns without codes: in a target of classes every value is a label."""
    shared: tuple[float, ...] = ()
    """Codes that the values of some column of the table suggest."""
    guess: bool = True
    """Codes are looked for in the values too."""

    def find(self, name: str, values: Sequence[str], numbers: np.ndarray, counts: np.ndarray) -> ColumnCodes | None:
        """Return the codes of a column, None where it has none.

        Args:
            name: the name of the column.
            values: its different values without those that are read as missing anyway, the most frequent first.
            numbers: their numbers, NaN for words.
            counts: how often each of them occurs.
        """
        if name in self.exempt:
            return None
        if self.setting is not None:
            return _codes(values, equals_code(values, self.setting), "setting") if self.setting else None
        known = self.known.get(name)
        described = self._described(name, values, numbers, counts)
        if known is not None:
            return _codes(values, described | equals_code(values, known.codes), known.source)
        guessed = self._guessed(values, numbers, counts) if self.guess else np.zeros(len(values), dtype=bool)
        return _codes(values, described | guessed, "description" if described.any() else "values")

    def _described(self, name: str, values: Sequence[str], numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
        own = equals_code(values, self.by_column[name]) if name in self.by_column else np.zeros(len(values), bool)
        if not self.everywhere:
            return own
        everywhere = equals_code(values, self.everywhere)
        # A number that is an ordinary value of this column is no code here, whatever it means elsewhere.
        ordinary = everywhere & ~np.isnan(numbers) & ~is_outside(numbers, counts, everywhere)
        return np.asarray(own | (everywhere & ~ordinary))

    def _guessed(self, values: Sequence[str], numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
        words = find_words(values, numbers, counts)
        if words is None:
            return np.zeros(len(values), dtype=bool)
        return np.asarray(words | find_spikes(values, numbers, counts) | find_shared(numbers, counts, self.shared))


def _codes(values: Sequence[str], mask: np.ndarray, source: Source) -> ColumnCodes | None:
    """Return the values of a mask, of equal numbers the most frequent spelling."""
    if not mask.any():
        return None
    spellings = [value.strip() for value, is_code in zip(values, mask, strict=True) if is_code]
    codes: dict[str | float, str] = {}
    for spelling, number in zip(spellings, parse_numbers(spellings), strict=True):
        codes.setdefault(spelling if np.isnan(number) else float(number), spelling)
    return ColumnCodes(tuple(codes.values()), source)


NO_RULES = MissingRules(guess=False)
"""No codes are looked for."""
