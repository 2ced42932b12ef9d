"""Recipes for pictures with one prediction per row: files in class folders or named by a table, and arrays."""

from mlestar.offline.images.recipes import is_usable, suits, write_script

__all__ = ["is_usable", "suits", "write_script"]
