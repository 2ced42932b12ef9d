"""Cells that hold lists of a few values, such as the tags of a post."""

import re
from collections import Counter
from collections.abc import Sequence

SEPARATORS = ("|", ";", ",", "/", " ")
"""What may be between the items of a list, the least ambiguous first."""

# The limits below were chosen by judgement; none was measured.
_MIN_VALUES = 12
"""Different cells below which a column is a category, whatever its values look like."""
_MIN_LISTS = 0.3
"""Share of different cells that have more than one item."""
_MAX_ITEMS = 0.5
"""Different items for each different cell: lists combine a few items in many ways, sentences do not."""
_MIN_USES = 3.0
"""Mean number of different cells that an item is in."""
_MAX_CHARACTERS = 40
"""Of an item."""
_MAX_PER_LIST = 50
"""Items of one list."""
_BRACKETS = re.compile(r"[\[\](){}\"']")


def split_list(cell: str, separator: str) -> list[str]:
    """Return the items of a cell, without brackets and quotes."""
    return [item for part in _BRACKETS.sub("", cell).split(separator) if (item := part.strip())]


def find_separator(values: Sequence[str]) -> str:
    """Return what separates the items of lists in a column; empty where its cells are no lists of a few values.

    Args:
        values: the different cells of the column, of which none is missing.
    """
    if len(values) < _MIN_VALUES:
        return ""
    return next((separator for separator in SEPARATORS if _are_lists(values, separator)), "")


def _are_lists(values: Sequence[str], separator: str) -> bool:
    if sum(separator in value for value in values) < _MIN_LISTS * len(values):
        return False
    lists = [split_list(value, separator) for value in values]
    lengths = {len(items) for items in lists}
    # As many items in each cell are a composite value, whose places mean something.
    if len(lengths) == 1 or max(lengths) > _MAX_PER_LIST:
        return False
    uses = Counter(item for items in lists for item in set(items))
    if any(len(item) > _MAX_CHARACTERS or not any(sign.isalpha() for sign in item) for item in uses):
        return False
    return len(uses) <= _MAX_ITEMS * len(values) and uses.total() >= _MIN_USES * len(uses)
