"""Codes that stand for missing values, such as -999 or `unknown`: read from the description and from the values."""

from mlestar.data.missing.codes import NO_RULES, ColumnCodes, MissingRules, Source
from mlestar.data.missing.description import read_rules
from mlestar.data.missing.notes import describe_codes
from mlestar.data.missing.numbers import equals_code, parse_numbers
from mlestar.data.missing.words import is_word

__all__ = [
    "NO_RULES",
    "ColumnCodes",
    "MissingRules",
    "Source",
    "describe_codes",
    "equals_code",
    "is_word",
    "parse_numbers",
    "read_rules",
]
