"""Recipes for pairs of texts: before and after a change."""

from mlestar.offline.sequences.recipes import find_unused, is_usable, suits, write_script

__all__ = ["find_unused", "is_usable", "suits", "write_script"]
