"""Exporting the packaged predictor of a run as a self-contained folder."""

from mlestar.export.folder import export_run

__all__ = ["export_run"]
