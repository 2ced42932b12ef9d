"""Codes that a file gives to rows, by which other files name them: the numbers of images in a list of annotations."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.revealing.alignment import (
    ROW_NUMBERS,
    Alignment,
    KeySpace,
    first_places,
)

# The limits below were chosen by judgement; none was measured.
_MAX_CODES = 8
_UNIQUE = 0.9
"""Different values per row of a column of codes."""
_PRESENT = 0.05
"""Share of the rows of train that must have a code."""
_MIN_RECORDS = 20
_DECIMAL = r"^[-+]?\d*\.\d+(?:[eE][-+]?\d+)?$"
_DECIMALS = 0.1
"""Share of decimal numbers from which a column holds measurements, not codes."""
BY_CODE = " of "
"""Separates the name of a code from that of its file."""
_MAX_COLUMNS = 20


def with_codes(space: KeySpace, files: Iterable[tuple[str, pd.DataFrame]]) -> KeySpace:
    """Return the columns of train together with the codes that files give to its rows.

    Args:
        space: the columns of train.
        files: records by the names of their files.
    """
    train, test = space.train, space.test
    found = ((f"{column}{BY_CODE}{name}", both) for name, cells in files for column, *both in _codes(space, cells))
    codes: dict[str, list[pd.Series]] = {}
    for name, both in found:
        codes.setdefault(name, both)
        if len(codes) == _MAX_CODES:
            break
    if not codes:
        return space
    train = pd.concat([train, pd.DataFrame({name: both[0] for name, both in codes.items()})], axis=1)
    test = pd.concat([test, pd.DataFrame({name: both[1] for name, both in codes.items()})], axis=1)
    return KeySpace(train, test, (*space.names, *codes))


def _codes(space: KeySpace, cells: pd.DataFrame) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    if len(cells) < _MIN_RECORDS or cells.shape[1] < 2:
        return
    for alignment in space.align(cells):
        by_number = any(name in alignment.why for name in ROW_NUMBERS)
        if not (alignment.names_rows and len(alignment.columns) == 1) or by_number:
            continue
        if alignment.present().mean() < _PRESENT:
            continue
        for column in map(str, cells.columns[:_MAX_COLUMNS]):
            filled = cells[column][cells[column] != ""]
            if column in alignment.columns or filled.nunique() < max(_MIN_RECORDS, _UNIQUE * len(filled)):
                continue
            if filled.str.contains(_DECIMAL, regex=True).mean() >= _DECIMALS:
                continue
            yield column, *_spread(space, cells[column], alignment)


def _spread(space: KeySpace, cells: pd.Series, alignment: Alignment) -> tuple[pd.Series, pd.Series]:
    """Return the cell of each row of train and of test, empty where it has none."""
    size = int(max(codes.max(initial=-1) for codes in (alignment.records, alignment.train, alignment.test))) + 1
    place = first_places(alignment.records, max(size, 1))
    texts = np.append(cells.to_numpy(dtype=object), "")
    return (
        pd.Series(texts[place[alignment.train]], index=space.train.index, dtype=str),
        pd.Series(texts[place[alignment.test]], index=space.test.index, dtype=str),
    )
