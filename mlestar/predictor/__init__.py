"""Predicting new rows with the winner of a run."""

from mlestar.predictor.frames import RowColumn, RowSpec, check_frame
from mlestar.predictor.protocol import Predictor
from mlestar.predictor.replay import ReplayPredictor, open_replay
from mlestar.predictor.row_spec import row_spec

__all__ = ["Predictor", "ReplayPredictor", "RowColumn", "RowSpec", "check_frame", "open_replay", "row_spec"]
