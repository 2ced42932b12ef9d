"""Parts of a cell that may be the label where the whole cell is not: form, length, first or last character, a word."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

# The limits below were chosen by judgement; none was measured.
_MAX_GROUPS = 50
"""Most different values of a part of the cells that may be a class."""
_WORD = re.compile(r"[^\W_]+")
_COMMON = (0.02, 0.98)
"""Shares of the cells between which a word is common but not everywhere."""
_MAX_WORDS = 60
_SAMPLE = 50
"""Cells that show whether a column has texts of several words."""
_RUNS = (
    (re.compile(r"[a-z]+"), "a"),
    (re.compile(r"[A-Z]+"), "A"),
    (re.compile(r"\d+"), "9"),
    (re.compile(r"[^\x00-\x7f]+"), "?"),
)


def views(cells: pd.Series) -> Iterator[pd.Series]:
    """Yield parts of the cells of a column that have few values, and whether each of its common words is there."""
    seen = list(cells)
    for part in (forms(seen), *_single(seen)):
        if 1 < len(set(part)) <= _MAX_GROUPS:
            yield pd.Series(part, index=cells.index, dtype=str)
    yield from _words(cells)


def forms(texts: list[str]) -> list[str]:
    """Return how texts are written: the kinds of characters, without how many there are."""
    return [_form(text) for text in texts]


def _form(text: str) -> str:
    for run, mark in _RUNS:
        text = run.sub(mark, text)
    return text


def _single(texts: list[str]) -> Iterator[list[str]]:
    stripped = [text.strip() for text in texts]
    yield [str(len(text)) for text in stripped]
    yield [str(len(text.rpartition(".")[2])) if "." in text else "" for text in stripped]
    yield [text[:1] for text in stripped]
    yield [text[-1:] for text in stripped]


def _words(cells: pd.Series) -> Iterator[pd.Series]:
    sample = cells.iloc[:: max(1, len(cells) // _SAMPLE)]
    if not len(sample) or np.median([len(_WORD.findall(text)) for text in sample]) < 2:
        return
    found = [set(_WORD.findall(text)) for text in cells]
    counts = Counter(word for words in found for word in words)
    low, high = (share * len(found) for share in _COMMON)
    for word in [word for word, count in counts.most_common() if low <= count <= high][:_MAX_WORDS]:
        yield pd.Series([str(int(word in words)) for words in found], index=cells.index, dtype=str)
