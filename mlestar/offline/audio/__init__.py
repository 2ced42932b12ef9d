"""Recipes for sounds in files."""

from mlestar.offline.audio.recipes import is_usable, suits, write_script

__all__ = ["is_usable", "suits", "write_script"]
