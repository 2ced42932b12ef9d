"""The Python package of an exported folder: modules of this one, copied, that import only each other.

Copies are made when a folder is written, so that frames are checked by the same code here and there.
"""

import re
from pathlib import Path

PACKAGE = "mlestar_model"
ROOT = Path(__file__).resolve().parents[1]
OWN = ("connections", "front", "model", "places", "process", "pyfunc", "service", "sums", "worker")
MODULES = {
    "errors": "mlestar.errors",
    "files": "mlestar.files",
    "kinds": "mlestar.data.kinds",
    "composed_id": "mlestar.data.composed_id",
    "frame_columns": "mlestar.data.frame_columns",
    "new_ids": "mlestar.data.new_ids",
    "finite": "mlestar.metrics.finite",
    "precision": "mlestar.metrics.precision",
    "conformal": "mlestar.evaluation.uncertainty.conformal",
    "uncertainty": "mlestar.evaluation.uncertainty.record",
    "coverage": "mlestar.predictor.coverage",
    "quoting": "mlestar.data.tables.quoting",
    "number_styles": "mlestar.data.tables.numbers",
    "spec": "mlestar.metrics.spec",
    "label_spellings": "mlestar.metrics.labels",
    "submitted": "mlestar.metrics.submitted",
    "saved_sums": "mlestar.predictor.sums",
    "cells": "mlestar.predictor.cells",
    "date_cells": "mlestar.predictor.date_cells",
    "frames": "mlestar.predictor.frames",
    "predictions": "mlestar.predictor.predictions",
    "parquet_rows": "mlestar.predictor.parquet_rows",
    "row_files": "mlestar.predictor.row_files",
    **{name: f"mlestar.export.alone.{name}" for name in OWN},
}
"""By module of the exported package: the module of which it is a copy."""
INIT = f'''"""A model that was exported by mlestar: `load(folder)` returns it."""

from {PACKAGE}.front import load

__all__ = ["load"]
'''
_IMPORT = re.compile(r"^(\s*from )(mlestar(?:\.\w+)+)( import )", re.MULTILINE)


def package_sources() -> dict[str, str]:
    """Return the modules of the exported package by file name."""
    names = {module: name for name, module in MODULES.items()}
    sources = {"__init__.py": INIT}
    for name, module in MODULES.items():
        text = ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text(encoding="utf-8")
        sources[f"{name}.py"] = _IMPORT.sub(lambda match: f"{match[1]}{PACKAGE}.{names[match[2]]}{match[3]}", text)
    return sources
