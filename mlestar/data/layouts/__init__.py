"""How tasks keep their rows in files: one module for each layout."""

from mlestar.data.layouts.choose import LAYOUTS, find_layout
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, SubmissionLines, TaskSource
from mlestar.data.layouts.sources import TableCache, TaskFile

__all__ = [
    "LAYOUTS",
    "HoldoutRows",
    "Layout",
    "PlaceFile",
    "SubmissionLines",
    "TableCache",
    "TaskFile",
    "TaskSource",
    "find_layout",
]
