"""A description of rows without cells of train: examples are made up."""

import re

import pandas as pd

from mlestar.predictor.frames import RowColumn, RowSpec

_DIGITS = re.compile(r"\d+")
_DAY = pd.Timestamp("2001-02-03 04:05:06")
_PARTS = "20010203040506"
_TRUTHS = {"true", "false", "yes", "no", "0", "1", "t", "f", "y", "n"}
_MADE_UP = {"int": 1, "float": 1.5, "bool": True, "id": 1}


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
        return _made_up_date(column.examples[0], column.date_format)
    truths = tuple(text for text in column.examples if text.strip().lower() in _TRUTHS)
    return truths if column.kind == "bool" else ()


def _made_up_date(example: str, date_format: str) -> tuple[str, ...]:
    """Return a made-up date in the format of an example; none where the format is ambiguous."""
    if date_format:
        return (_DAY.strftime(date_format),)
    rest = _PARTS

    def replace(digits: "re.Match[str]") -> str:
        nonlocal rest
        part, rest = rest[: len(digits[0])], rest[len(digits[0]) :]
        return part.ljust(len(digits[0]), "0")

    text = _DIGITS.sub(replace, example)
    return () if pd.isna(pd.to_datetime(text, errors="coerce", utc=True)) else (text,)
