"""Numbers of cells that are text."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd


def parse_numbers(values: Sequence[str]) -> np.ndarray:
    """Return the number that each text holds, NaN where it holds none."""
    texts = np.array([value.strip() for value in values], dtype=object)
    return np.asarray(pd.to_numeric(texts, errors="coerce"), dtype=float)


def equals_code(values: Sequence[str], codes: Iterable[str]) -> np.ndarray:
    """Return a mask of the values that are one of the codes, as text or as a number: `-200.0` is `-200`."""
    codes = list(codes)
    texts = {code.strip() for code in codes}
    same_text = np.array([value.strip() in texts for value in values], dtype=bool)
    numbers = parse_numbers(codes)
    numbers = numbers[~np.isnan(numbers)]
    return same_text | np.isin(parse_numbers(values), numbers) if len(numbers) else same_text
