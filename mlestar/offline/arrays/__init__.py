"""Recipes for rows that are vectors or signals: in files of arrays, or in cells of tables."""

from mlestar.offline.arrays.recipes import suits, write_script

__all__ = ["suits", "write_script"]
