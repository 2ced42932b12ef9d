"""Exporting the packaged predictor of a run as a folder that stands alone."""

from mlestar.export.folder import export_run

__all__ = ["export_run"]
