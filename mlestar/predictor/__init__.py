"""Predicting new rows with the winner of a run."""

from mlestar.predictor.cells import RowColumn
from mlestar.predictor.frames import RowSpec, check_frame
from mlestar.predictor.package import Check, ModelFile, PackageInfo, read_package
from mlestar.predictor.packaged import PackagedPredictor, open_predictor
from mlestar.predictor.packaging import apackage, package
from mlestar.predictor.protocol import Predictor
from mlestar.predictor.replay import ReplayPredictor, open_replay
from mlestar.predictor.row_spec import row_spec

__all__ = [
    "Check",
    "ModelFile",
    "PackageInfo",
    "PackagedPredictor",
    "Predictor",
    "ReplayPredictor",
    "RowColumn",
    "RowSpec",
    "apackage",
    "check_frame",
    "open_predictor",
    "open_replay",
    "package",
    "read_package",
    "row_spec",
]
