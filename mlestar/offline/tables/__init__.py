"""Recipes for tables."""

from mlestar.offline.tables.recipes import find_unused, is_usable, suits, write_script

__all__ = ["find_unused", "is_usable", "suits", "write_script"]
