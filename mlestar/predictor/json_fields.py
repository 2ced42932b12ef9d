"""Fields of JSON objects in the cells of new rows: readers make a column of each field that some row has."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

Keys = tuple[str, ...]
"""Names of a field and of the objects around it, the outermost first."""


def with_known_fields(cells: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return new rows in which a row has every field of known rows; where no row has one, the first gets it as null.

    Without this a few rows can lack a column that a script expects.

    Args:
        cells: the new rows, as text.
        known: the rows whose place they take, as text.
    """
    if not len(cells):
        return cells
    changed = {}
    for column in cells.columns.intersection(known.columns):
        expected = _fields(known[column])
        lacking = expected - _fields(cells[column]) if expected else set()
        if lacking:
            changed[column] = _add(list(cells[column]), lacking)
    return cells.assign(**changed)


def _add(texts: list[str], lacking: set[Keys]) -> list[str]:
    """Return cells of which the first object, or else the first cell, has the fields that are lacking."""
    objects = [_object(text) for text in texts]
    place = next((number for number, found in enumerate(objects) if found is not None), 0)
    changed = objects[place] or {}
    for path in sorted(lacking):
        _set_null(changed, path)
    # A number beyond doubles would be written as another value.
    with contextlib.suppress(ValueError):
        texts[place] = json.dumps(changed, ensure_ascii=False, allow_nan=False)
    return texts


def _set_null(whole: dict[str, Any], path: Keys) -> None:
    for name in path[:-1]:
        if not isinstance(whole.get(name), dict):
            whole[name] = {}
        whole = whole[name]
    whole.setdefault(path[-1], None)


def _fields(cells: pd.Series) -> set[Keys]:
    """Return the paths of all fields that are no objects themselves."""
    return {path for text in cells.unique() for path in _paths(_object(text) or {})}


def _paths(whole: dict[str, Any], start: Keys = ()) -> Iterator[Keys]:
    for name, value in whole.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, (*start, name))
        else:
            yield (*start, name)


def _object(text: str) -> dict[str, Any] | None:
    """Return the object that a cell is; None for any other cell."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
