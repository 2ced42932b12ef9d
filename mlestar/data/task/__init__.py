"""A task folder and its spec."""

from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.data.task.task import Task
from mlestar.metrics.spec import Direction, Modality, PredictionKind, Problem, TaskSpec

__all__ = [
    "ColumnStatistics",
    "Direction",
    "FileStatistics",
    "Modality",
    "PredictionKind",
    "Problem",
    "Task",
    "TaskSpec",
]
