"""Modules that only exported folders use; they import nothing else of this package."""
