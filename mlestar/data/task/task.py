"""A task folder that was read."""

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
from mlestar.errors import UserError
from mlestar.metrics import Metric
from mlestar.metrics.spec import TaskSpec


@dataclass(frozen=True)
class Task:
    """A task folder with what was inferred from it."""

    folder: Path
    input: Path
    """The folder of the data files: `folder/input` or the folder itself."""
    description: str
    """The author's description, with the goal that a call set before it; or a sentence made from the spec."""
    spec: TaskSpec
    metric: Metric
    statistics: tuple[FileStatistics, ...]
    """Every file or folder of the input, train, test and sample submission first."""
    labelled: bool
    """Train and test are tables and the target is a column of train, so that rows can be withheld and graded."""
    notes: tuple[str, ...] = ()
    """How each field of the spec was inferred, and warnings, one line each, for `mlestar check`."""
    settled: frozenset[str] = frozenset()
    """Fields of the spec that the user set; agents may not change them."""
    _cache: TableCache = field(default_factory=lambda: TableCache(Path()), repr=False, compare=False)

    @classmethod
    def load(
        cls, folder: Path, *, goal: str | None = None, metric: str | Metric | None = None, **overrides: Any
    ) -> "Task":
        """Read a task folder; `task.toml` takes precedence over inference and keyword arguments over both.

        Raises:
            TaskError: the folder, a file or a field cannot be understood; the message is one line.
        """
        contents = read_task_folder(folder)
        metric_name = metric if isinstance(metric, str) else None
        metric_object = metric if isinstance(metric, Metric) else None
        settings = read_overrides(folder, {**overrides, "metric": metric_name})
        cache = TableCache(contents.input)
        description = "\n\n".join(text for text in (goal, contents.description) if text)
        inference = infer_spec(contents, settings, description, cache, metric_object)
        statistics = _describe_files(contents, inference.spec, cache)
        return cls(
            folder=folder,
            input=contents.input,
            description=description or _default_description(inference.spec),
            spec=inference.spec,
            metric=inference.metric,
            statistics=statistics,
            labelled=inference.labelled,
            notes=inference.notes,
            settled=_settled(settings, metric_object),
            _cache=cache,
        )

    def showing(self, rows: np.ndarray) -> "Task":
        """Return the task with statistics that are computed from these rows of train only."""
        train = table_statistics(self.spec.train, self.table(self.spec.train), rows)
        statistics = tuple(train if file.file == train.file else file for file in self.statistics)
        return replace(self, statistics=statistics)

    def table(self, name: str) -> Table:
        """Return a table of the input folder by its file name, read once."""
        return self._cache.get(name)


def _default_description(spec: TaskSpec) -> str:
    return f"Predict {', '.join(spec.target)} for every row of {spec.test}; the metric is {spec.metric}."


def _settled(settings: Overrides, metric: Metric | None) -> frozenset[str]:
    fields = {name for name, value in settings if value is not None}
    if metric or settings.metric:
        fields |= {"metric", "direction"}
    return frozenset(fields)


def _describe_files(contents: TaskFolder, spec: TaskSpec, cache: TableCache) -> tuple[FileStatistics, ...]:
    """Describe train, test and sample submission from the tables that were read, every other entry by itself."""
    names = [name for name in (spec.train, spec.test, spec.sample_submission) if name]
    tables = [name for name in names if is_table(contents.input / name)]
    others = [name for name in dict.fromkeys((*names, *contents.entries)) if name not in tables]
    statistics = [table_statistics(name, cache.get(name)) for name in tables]
    return tuple(statistics + [_describe_entry(contents, name, spec, cache) for name in others])


def _describe_entry(contents: TaskFolder, name: str, spec: TaskSpec, cache: TableCache) -> FileStatistics:
    path = contents.input / name
    if path.is_dir():
        files = [file.removeprefix(f"{name}/") for file in contents.files if file.startswith(f"{name}/")]
        return folder_statistics(name, path, files)
    if not is_table(path) or path.stat().st_size > LARGEST:
        return file_statistics(name, path)
    try:
        table = cache.get(name)
    except UserError as error:
        return FileStatistics(file=name, size=path.stat().st_size, note=str(error))
    statistics = table_statistics(name, table)
    if not is_table(contents.input / spec.train):
        return statistics
    return link_columns(statistics, table.frame, spec.train, cache.get(spec.train).frame)
