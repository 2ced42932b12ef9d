"""Reading files that are no plain tables as records."""

from mlestar.evaluation.holdout.revealing.readers.other import read_other

__all__ = ["read_other"]
