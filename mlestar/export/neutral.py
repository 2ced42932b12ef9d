"""Descriptions without cells of train, whose examples are made up, and without paths of the machine."""

import re

import pandas as pd

from mlestar.predictor.cells import TRUTHS, RowColumn
from mlestar.predictor.date_cells import zone_of
from mlestar.predictor.frames import RowSpec

_DIGITS = re.compile(r"\d+")
_PATH = re.compile(r"(?<![\w./])(?:~|\b[A-Za-z]:)?[/\\](?:[^\s/\\'\"<>|]+[/\\])+(?P<name>[^\s/\\'\"<>|]*)")
"""An absolute path with at least two parts; not the address of a page."""
_DAY = pd.Timestamp("2001-02-03 04:05:06")
_PARTS = "20010203040506"
_TRUTHS = {text for pair in TRUTHS for text in pair}
_MADE_UP = {"int": 1, "float": 1.5, "bool": True, "id": 1}


def without_paths(text: str) -> str:
    """Return a text with the last part of each path of a machine in its place."""
    return _PATH.sub(lambda path: path["name"], text)


def without_cells(spec: RowSpec) -> RowSpec:
    """Return the same spec without examples from the data."""
    columns = tuple(column.model_copy(update={"examples": _examples(column)}) for column in spec.columns)
    identifier = spec.id and spec.id.model_copy(update={"examples": _examples(spec.id)})
    return spec.model_copy(update={"columns": columns, "id": identifier})


def made_up_value(column: RowColumn) -> str | float:
    """Return a made-up value of a column for JSON."""
    return next(iter(column.examples), column.number_format or _MADE_UP.get(column.kind, "text"))


def _examples(column: RowColumn) -> tuple[str, ...]:
    """Return the spellings of truth values, which do not identify a row, and of a made-up date."""
    if column.kind == "date" and column.examples:
        return _made_up_date(max(column.examples, key=len), column.date_format)
    truths = tuple(text for text in column.examples if text.strip().lower() in _TRUTHS)
    return truths if column.kind in ("bool", "category") else ()


def _made_up_date(example: str, date_format: str) -> tuple[str, ...]:
    """Return a made-up date in the format of an example; none where the format is ambiguous."""
    if date_format:
        return (_DAY.strftime(date_format),)
    rest, zone = _PARTS, zone_of(example)

    def replace(digits: "re.Match[str]") -> str:
        nonlocal rest
        part, rest = rest[: len(digits[0])], rest[len(digits[0]) :]
        return part.ljust(len(digits[0]), "0")

    text = _DIGITS.sub(replace, example.strip().removesuffix(zone)) + zone
    return () if pd.isna(pd.to_datetime(text, errors="coerce", utc=True)) else (text,)
