"""Kinds of columns, and cells that hold nothing."""

from typing import Literal

ColumnKind = Literal["empty", "bool", "int", "float", "date", "json", "path", "id", "text", "category"]

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "#N/A", "-nan", "-NaN")
"""Cells that pandas reads as missing by default."""
