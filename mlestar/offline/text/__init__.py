"""Recipes for tables whose main content is text."""

from mlestar.offline.text.recipes import find_unused, is_usable, suits, write_script

__all__ = ["find_unused", "is_usable", "suits", "write_script"]
