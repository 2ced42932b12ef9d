"""The same key in several spellings: 0012, 12.0, img_12.jpg and IMG_12 are one row."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from mlestar.evaluation.holdout.written_dates import read_dates

_MOST = 0.9
"""Share of the filled cells that a spelling must read. Chosen by judgement; not measured."""
_DECIMALS = 0.5
"""Share of decimal numbers from which a column has no numbers that name rows. Chosen by judgement; not measured."""
_SAMPLE = 50
"""Cells that are looked at before a whole column is read. Chosen by judgement; not measured."""

Spelled = np.ndarray
"""Texts, empty where there is none, or numbers, NaN where there is none."""


def _text(cells: pd.Series) -> Spelled | None:
    return np.asarray(cells.str.strip().str.lower(), dtype=object)


def _number(cells: pd.Series) -> Spelled | None:
    numbers = pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy(dtype=float)
    return _enough(cells, numbers)


def _stem(cells: pd.Series) -> Spelled | None:
    """Return names of files without their folders and suffix; other texts, which such names may have, as they are."""
    if not cells.iloc[:_SAMPLE].str.contains(r"[/\\.]", regex=True).mean() >= _MOST:
        return _text(cells)
    stems = cells.str.strip().str.lower().str.replace(r"^.*[/\\]|(?:\.[a-z][a-z0-9]{0,4})+$", "", regex=True)
    return np.asarray(stems, dtype=object)


def _digits(cells: pd.Series) -> Spelled | None:
    """Return the last number in each cell, without leading zeros; a suffix such as `.mp3` does not count."""
    plain = cells.str.strip().str.replace(r"\.[A-Za-z][A-Za-z0-9]{0,4}$|\.0+$", "", regex=True)
    if plain.iloc[:_SAMPLE].str.contains(r"\d\.\d+$", regex=True).mean() >= _DECIMALS:
        return None
    numbers = pd.to_numeric(plain.str.extract(r"(\d+)\D*$")[0], errors="coerce").to_numpy(dtype=float)
    return _enough(cells, numbers)


def _letters(cells: pd.Series) -> Spelled | None:
    """Return letters and digits alone."""
    return np.asarray(cells.str.lower().str.replace(r"[\W_]+", "", regex=True), dtype=object)


def _date(cells: pd.Series) -> Spelled | None:
    filled = cells[cells.str.strip() != ""]
    return read_dates(cells, filled.iloc[:_SAMPLE].tolist()) if len(filled) else None


SPELLINGS: Mapping[str, Callable[[pd.Series], Spelled | None]] = {
    "number": _number,
    "text": _text,
    "stem": _stem,
    "digits": _digits,
    "letters": _letters,
    "date": _date,
}
"""Ways to read keys, the strictest first."""
NOT_FOR_NUMBERS = frozenset({"text", "stem", "letters"})
"""Ways that say no more of a column of numbers."""


def spell(cells: pd.Series, spelling: str) -> Spelled | None:
    """Return the cells of a key column in one spelling; None where it does not read them."""
    return SPELLINGS[spelling](cells)


def is_known(keys: Spelled) -> np.ndarray:
    """Return a mask of the rows that have a key."""
    return np.asarray(np.isfinite(keys) if keys.dtype == float else keys != "")


def _enough(cells: pd.Series, numbers: np.ndarray) -> Spelled | None:
    """Return numbers where they are most of the filled cells."""
    filled = (cells.str.strip() != "").to_numpy()
    is_read = bool(filled.any()) and bool(np.isfinite(numbers[filled]).mean() >= _MOST)
    return numbers if is_read else None
