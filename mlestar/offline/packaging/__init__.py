"""Splitting a script into fitting and predicting, by running it once and keeping what does not depend on new rows."""

from mlestar.offline.packaging.script import write_packaged

__all__ = ["write_packaged"]
