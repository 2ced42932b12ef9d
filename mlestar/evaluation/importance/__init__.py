"""Importance of columns: how much worse predictions get when one column of withheld rows is permuted."""
