"""JSON of any shape: objects of labels, lists of records, objects of arrays, each at any depth."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mlestar.evaluation.holdout.revealing.readers.bounds import Allowance
from mlestar.evaluation.holdout.revealing.records import Records

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
# The limits below were chosen by judgement; none was measured.
_MAX_DEPTH = 6
"""Levels of a file in which records are looked for."""
_MAX_FIELDS = 2000
"""Different fields that records may have; an object with more of them is keyed by something that rows may have."""
_MAX_CHILDREN = 200
"""Members of an object that are looked into each by itself."""


def read_json(text: str, allowance: Allowance) -> tuple[Records, ...]:
    """Return the records of a JSON text.

    Raises:
        ValueError: it is no JSON.
        TooLargeError: it exceeds a limit.
    """
    return tuple(_walk("content", _DECODER.decode(text.strip()), allowance, _MAX_DEPTH))


def read_json_lines(lines: Sequence[str], allowance: Allowance) -> tuple[Records, ...]:
    """Return the records of JSON lines.

    Raises:
        ValueError: a line is no JSON.
        TooLargeError: it exceeds a limit.
    """
    return tuple(_walk("lines", [_DECODER.decode(line.strip()) for line in lines], allowance, _MAX_DEPTH))


def _walk(where: str, value: Any, allowance: Allowance, depth: int) -> Iterator[Records]:
    if depth == 0:
        return
    if isinstance(value, list):
        yield from _walk_list(where, value, allowance, depth)
    elif isinstance(value, dict):
        yield from _walk_object(where, value, allowance, depth)


def _walk_list(where: str, items: list[Any], allowance: Allowance, depth: int) -> Iterator[Records]:
    if not items:
        return
    if any(isinstance(item, dict) for item in items):
        yield from _frame(where, [flat_fields(item) for item in items if isinstance(item, dict)], allowance)
    elif all(isinstance(item, list) for item in items) and len({len(item) for item in items}) == 1:
        rows = [{str(number): _text(cell) for number, cell in enumerate(item)} for item in items]
        yield from _frame(where, rows, allowance)
    elif not any(isinstance(item, list) for item in items):
        yield from _frame(where, [{"0": _text(item)} for item in items], allowance)
        return
    for item in items[:_MAX_CHILDREN]:
        # A record may have a table of its own.
        yield from _children(where, item, allowance, depth)


def _walk_object(where: str, members: dict[str, Any], allowance: Allowance, depth: int) -> Iterator[Records]:
    values = list(members.values())
    lists = {key: value for key, value in members.items() if isinstance(value, list)}
    scalars = {key: value for key, value in members.items() if not isinstance(value, (list, dict))}
    if scalars:
        rows = [{"key": key, "value": _text(value)} for key, value in scalars.items()]
        yield from _frame(where, rows, allowance)
    if any(isinstance(value, dict) for value in values):
        rows = [{"key": key, **flat_fields(value)} for key, value in members.items() if isinstance(value, dict)]
        yield from _frame(where, rows, allowance)
    yield from _arrays(where, lists, allowance)
    yield from _members(where, lists, allowance)
    yield from _children(where, members, allowance, depth)


def _children(where: str, value: Any, allowance: Allowance, depth: int) -> Iterator[Records]:
    if isinstance(value, dict) and len(value) <= _MAX_CHILDREN:
        for key, child in value.items():
            yield from _walk(f"{where}.{key}" if where else key, child, allowance, depth - 1)


def _arrays(where: str, lists: Mapping[str, list[Any]], allowance: Allowance) -> Iterator[Records]:
    """Yield arrays of one length, which are the columns of records."""
    by_length: dict[int, dict[str, list[Any]]] = {}
    for key, values in lists.items():
        by_length.setdefault(len(values), {})[key] = values
    for length, columns in by_length.items():
        if length > 1 and 1 < len(columns) <= _MAX_FIELDS:
            rows = [dict(zip(columns, map(_text, row), strict=True)) for row in zip(*columns.values(), strict=True)]
            yield from _frame(where, rows, allowance)


def _members(where: str, lists: Mapping[str, list[Any]], allowance: Allowance) -> Iterator[Records]:
    """Yield a record for each item of arrays, as where an object has the rows of each class."""
    if len(lists) > 1:
        yield from _frame(
            where,
            [{"key": key, "value": _text(item)} for key, items in lists.items() for item in items],
            allowance,
        )


def _frame(where: str, rows: Sequence[Mapping[str, str]], allowance: Allowance) -> Iterator[Records]:
    fields = dict.fromkeys(name for row in rows for name in row)
    if len(rows) > 1 and len(fields) <= _MAX_FIELDS:
        allowance.take_cells(len(rows) * len(fields))
        yield Records(where, pd.DataFrame(list(rows), columns=list(fields), dtype=str).fillna(""))


def flat_fields(members: Mapping[str, Any], prefix: str = "", depth: int = 3) -> dict[str, str]:
    """Return the fields of a record, those of objects in it under joined names."""
    flat: dict[str, str] = {}
    for key, value in members.items():
        if isinstance(value, dict) and depth:
            flat |= flat_fields(value, f"{prefix}{key}.", depth - 1)
        else:
            flat[f"{prefix}{key}"] = _text(value)
    return flat


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1:
        return _text(value[0])
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def looks_like_lines(lines: Iterable[str]) -> bool:
    """Return whether the first lines are JSON objects or arrays each."""
    heads = [line.strip() for _, line in zip(range(5), lines, strict=False)]
    return len(heads) > 1 and all(head[:1] + head[-1:] in ("{}", "[]") for head in heads)
