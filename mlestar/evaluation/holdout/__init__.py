"""Choosing the rows of train that are withheld, and staging the input without them."""
