"""A task folder that was read and understood."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlestar.data.statistics import (
    LARGEST,
    FileStatistics,
    file_statistics,
    folder_statistics,
    link_columns,
    table_statistics,
)
from mlestar.data.tables import Table, is_table
from mlestar.data.task.inference.folder import TaskFolder, read_task_folder
from mlestar.data.task.inference.overrides import Overrides, read_overrides
from mlestar.data.task.inference.roles import TableCache
from mlestar.data.task.inference.spec import infer_spec
from mlestar.data.task.preview import render_preview
from mlestar.errors import UserError
from mlestar.metrics import Metric
from mlestar.metrics.spec import TaskSpec


@dataclass(frozen=True)
class Task:
    """A folder that was read and understood as far as its files allow."""

    folder: Path
    input: Path
    """Where the data files lie: `folder/input` or the folder itself."""
    description: str
    """The author's description, or the goal that was given instead."""
    spec: TaskSpec
    metric: Metric
    statistics: tuple[FileStatistics, ...]
    """Every file or folder of the input, train, test and sample submission first."""
    preview: str
    """File list and a short preview of every table, as told to the agents."""
    labelled: bool
    """Train and test are tables and the target is a column of train, so that rows can be withheld and graded."""
    notes: tuple[str, ...] = ()
    """How each field of the spec was found, and warnings, one line each, for `mlestar check`."""
    settled: frozenset[str] = frozenset()
    """Fields of the spec that a person set; nobody else may change them."""
    _cache: TableCache = field(default_factory=lambda: TableCache(Path()), repr=False, compare=False)

    @classmethod
    def load(
        cls, folder: Path, *, goal: str | None = None, metric: str | Metric | None = None, **overrides: Any
    ) -> "Task":
        """Read a task folder; `task.toml` overrules inference and keyword arguments overrule both.

        Raises:
            TaskError: the folder, a file or a field cannot be understood; the message is one line.
        """
        layout = read_task_folder(folder)
        told = read_overrides(folder, {**overrides, "metric": metric if isinstance(metric, str) else None})
        cache = TableCache(layout.input)
        description = "\n\n".join(part for part in (goal, layout.description) if part)
        own = metric if isinstance(metric, Metric) else None
        found = infer_spec(layout, told, description, cache, own)
        statistics = _profile(layout, found.spec, cache)
        return cls(
            folder=folder,
            input=layout.input,
            description=description or _plain_goal(found.spec),
            spec=found.spec,
            metric=found.metric,
            statistics=statistics,
            preview=render_preview(statistics, found.spec.train),
            labelled=found.labelled,
            notes=found.notes,
            settled=_settled(told, own),
            _cache=cache,
        )

    def showing(self, rows: np.ndarray) -> "Task":
        """Return the task with a statistics and a preview that tell of these rows of train only."""
        train = table_statistics(self.spec.train, self.table(self.spec.train), rows)
        statistics = tuple(train if known.file == train.file else known for known in self.statistics)
        return replace(self, statistics=statistics, preview=render_preview(statistics, self.spec.train))

    def table(self, name: str) -> Table:
        """Return a table of the input folder by its file name, read once."""
        return self._cache.get(name)


def _plain_goal(spec: TaskSpec) -> str:
    return f"Predict {', '.join(spec.target)} for every row of {spec.test}; the metric is {spec.metric}."


def _settled(told: Overrides, own: Metric | None) -> frozenset[str]:
    fields = {name for name, value in told if value is not None}
    return frozenset(fields | ({"metric", "direction"} if own or told.metric else set()))


def _profile(layout: TaskFolder, spec: TaskSpec, cache: TableCache) -> tuple[FileStatistics, ...]:
    """Profile the three parts from the tables that were read, every other entry on its own."""
    parts = [name for name in (spec.train, spec.test, spec.sample_submission) if name]
    statistics = [table_statistics(name, cache.get(name)) for name in parts if is_table(layout.input / name)]
    seen = {statistics.file for statistics in statistics}
    others = [name for name in (*parts, *layout.entries) if name not in seen]
    return tuple(statistics + [_profile_entry(layout, name, spec, cache) for name in dict.fromkeys(others)])


def _profile_entry(layout: TaskFolder, name: str, spec: TaskSpec, cache: TableCache) -> FileStatistics:
    path = layout.input / name
    if path.is_dir():
        files = [file.removeprefix(f"{name}/") for file in layout.files if file.startswith(f"{name}/")]
        return folder_statistics(name, path, files)
    if not is_table(path) or path.stat().st_size > LARGEST:
        return file_statistics(name, path)
    try:
        table = cache.get(name)
    except UserError as error:
        return FileStatistics(file=name, size=path.stat().st_size, note=str(error))
    statistics = table_statistics(name, table)
    if not is_table(layout.input / spec.train):
        return statistics
    return link_columns(statistics, table.frame, spec.train, cache.get(spec.train).frame)
