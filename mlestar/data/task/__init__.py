"""A task folder and its spec."""

from mlestar.data.statistics import ColumnProfile, FileProfile
from mlestar.data.task.task import Task
from mlestar.metrics.spec import Direction, Modality, PredictionKind, Problem, TaskSpec

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
