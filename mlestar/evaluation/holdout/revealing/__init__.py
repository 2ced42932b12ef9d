"""Which files of the input reveal the labels of withheld rows, and what is staged instead."""
