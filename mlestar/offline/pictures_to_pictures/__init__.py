"""Recipes for pictures that are predicted from pictures, pixel by pixel."""

from mlestar.offline.pictures_to_pictures.recipes import suits, write_script

__all__ = ["suits", "write_script"]
