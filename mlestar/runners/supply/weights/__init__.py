"""Pretrained weights: a store on the host, filled over the network by the host alone, and folders that scripts read."""

from mlestar.runners.supply.weights.address import Address, FileAddress, HubAddress, WeightsError, read_address
from mlestar.runners.supply.weights.records import Entry, StoredFile, weight_line
from mlestar.runners.supply.weights.store import WeightStore
from mlestar.runners.supply.weights.supplier import WeightSupplier

__all__ = [
    "Address",
    "Entry",
    "FileAddress",
    "HubAddress",
    "StoredFile",
    "WeightStore",
    "WeightSupplier",
    "WeightsError",
    "read_address",
    "weight_line",
]
