"""Baselines of a run: the best constant for the metric, and a simple model, both made without a model call."""

from mlestar.baselines.constant import (
    Constant,
    best_constant,
    find_constant,
    find_final_constant,
    write_constant,
    write_constant_script,
)
from mlestar.baselines.reasons import NoBaselineError
from mlestar.baselines.simple import SimpleModel, read_choice, write_simple_model

__all__ = [
    "Constant",
    "NoBaselineError",
    "SimpleModel",
    "best_constant",
    "find_constant",
    "find_final_constant",
    "read_choice",
    "write_constant",
    "write_constant_script",
    "write_simple_model",
]
