"""Intervals and sets of classes with stated coverage, from stored predictions."""
