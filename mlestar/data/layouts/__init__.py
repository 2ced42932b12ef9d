"""How tasks keep their rows in files: one module for each layout."""

from mlestar.data.layouts.choose import LAYOUTS, find_layout
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.sources import TableCache, TaskFile

__all__ = ["LAYOUTS", "HoldoutRows", "Layout", "PlaceFile", "TableCache", "TaskFile", "TaskSource", "find_layout"]
