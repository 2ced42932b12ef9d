"""One spelling for labels that are equal."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"([+-]?)(\d+)\.0*|\+(\d+)|-(0+)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


def canonical(text: str) -> str:
    """Return one spelling for equal labels: 3.0 is 3, TRUE is True, surrounding blanks are removed.

    Only the text is changed, never through a number: long integers, 1E2 beside 100 and 007 beside 7 stay different.
    """
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    match = _WHOLE.fullmatch(text)
    if match is None:
        return text
    digits = match[2] or match[3] or match[4]
    return f"-{digits}" if match[1] == "-" and digits.strip("0") else digits


def canonical_labels(texts: Sequence[str] | np.ndarray | pd.Series) -> np.ndarray:
    """Return `canonical` of each text as an object array."""
    codes, unique = pd.factorize(np.asarray(texts, dtype=object))
    return np.array([canonical(str(text)) for text in unique], dtype=object)[codes]


class KnownLabels:
    """The labels of a column, by which other spellings of them are recognized."""

    def __init__(self, labels: Iterable[str]) -> None:
        """Take labels in any spelling."""
        self.labels = frozenset(canonical(label) for label in labels)

    def match(self, texts: Sequence[str] | np.ndarray | pd.Series) -> np.ndarray:
        """Return the canonical known label of each text, `canonical` of the text itself where it is none.

        A text that is no known label is the one with the same number, as 7 is 007 after a script read numbers; unless
        two known labels have that number.
        """
        codes, unique = pd.factorize(np.asarray(texts, dtype=object))
        return np.array([self._match(canonical(str(text))) for text in unique], dtype=object)[codes]

    def _match(self, label: str) -> str:
        if label in self.labels or (number := _number(label)) is None:
            return label
        return self._by_number.get(number) or label

    @cached_property
    def _by_number(self) -> dict[Decimal, str]:
        """The only known label of each number; empty where there are several."""
        labels: dict[Decimal, str] = {}
        for label in self.labels:
            if (number := _number(label)) is not None:
                labels[number] = "" if number in labels else label
        return labels


def _number(label: str) -> Decimal | None:
    """Return the exact number that a label is."""
    if not _NUMBER.fullmatch(label):
        return None
    try:
        return Decimal(label)
    except InvalidOperation:
        return None
