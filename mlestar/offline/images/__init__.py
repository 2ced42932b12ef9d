"""Recipes for pictures with one prediction per row: files in class folders or named by a table, and arrays."""

from mlestar.offline.images.recipes import first_models, is_usable, suits, write_script

__all__ = ["first_models", "is_usable", "suits", "write_script"]
