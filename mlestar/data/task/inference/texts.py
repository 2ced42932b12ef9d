"""Whether a target is a text that another column becomes, such as a corrected one, and not a class."""

from difflib import SequenceMatcher

import pandas as pd

from mlestar.data.statistics import MISSING, is_numeric

# The limits below were chosen by judgement; none was measured.
_MIN_TEXTS = 50
"""Different cells up to which they are classes."""
_SAMPLE = 200
"""Rows that are compared."""
_BEGINNING = 200
"""Characters of a text that are compared."""
_MIN_LIKENESS = 0.5
"""Mean likeness, from 0 to 1, of a target with the text that it comes from; that of two random words is about 0.2."""


def is_changed_text(target: pd.Series, rows: pd.DataFrame) -> bool:
    """Return whether the cells of a target are those of another column, mostly unchanged or a little changed.

    Args:
        target: the cells of the target.
        rows: the rows of train.
    """
    target = target.reset_index(drop=True)
    cells = target[~target.str.strip().isin(MISSING)]
    different = cells.unique()
    if len(different) < _MIN_TEXTS or is_numeric(different):
        return False
    sample = cells.sample(min(_SAMPLE, len(cells)), random_state=0)
    others = [rows[name].reset_index(drop=True)[sample.index] for name in rows if name != target.name]
    return any(other.nunique() >= _MIN_TEXTS / 2 and _likeness(sample, other) >= _MIN_LIKENESS for other in others)


def _likeness(cells: pd.Series, others: pd.Series) -> float:
    pairs = zip(cells.str.lower().str[:_BEGINNING], others.str.lower().str[:_BEGINNING], strict=True)
    return sum(SequenceMatcher(None, one, other).ratio() for one, other in pairs) / len(cells)
