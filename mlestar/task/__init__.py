"""A task folder and its spec."""

from mlestar.profiles import ColumnProfile, FileProfile
from mlestar.spec import Direction, Modality, PredictionKind, Problem, TaskSpec
from mlestar.task.task import Task

__all__ = [
    "ColumnProfile",
    "Direction",
    "FileProfile",
    "Modality",
    "PredictionKind",
    "Problem",
    "Task",
    "TaskSpec",
]
