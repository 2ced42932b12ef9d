"""What scripts need besides the image: packages and pretrained weights, supplied without giving scripts network."""

from mlestar.runners.supply.needs import Needs, NeedsError, read_needs

__all__ = ["Needs", "NeedsError", "read_needs"]
