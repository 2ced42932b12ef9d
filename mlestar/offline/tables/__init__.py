"""Recipes for tables."""

from mlestar.offline.tables.order import first_models
from mlestar.offline.tables.recipes import find_unused, is_usable, suits, write_script

__all__ = ["find_unused", "first_models", "is_usable", "suits", "write_script"]
