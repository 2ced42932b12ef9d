"""Blends of stored predictions: which weights, whether they help, and the script that makes the same blend again."""
