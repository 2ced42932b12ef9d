"""A task folder that was read."""

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlestar.data.folder import TaskFolder, read_task_folder
from mlestar.data.keys import link_columns
from mlestar.data.layouts import Layout, TableCache, TaskFile
from mlestar.data.missing import ColumnCodes, MissingRules, describe_codes
from mlestar.data.overrides import Overrides, read_overrides
from mlestar.data.prepared import prepare_input
from mlestar.data.relations import describe_relations
from mlestar.data.statistics import (
    LARGEST,
    FileStatistics,
    file_statistics,
    folder_statistics,
    known_codes,
    table_statistics,
)
from mlestar.data.tables import Table, is_table
from mlestar.data.task.inference.spec import infer_spec
from mlestar.errors import UserError
from mlestar.metrics import Metric
from mlestar.metrics.spec import TaskSpec


@dataclass(frozen=True)
class Task:
    """A task folder with what was inferred from it."""

    folder: Path
    input: Path
    """The folder of the data files: `folder/input`, the folder itself, or a copy of it in plain formats."""
    description: str
    """The author's description, with the goal that a call set before it; or a sentence made from the spec."""
    spec: TaskSpec
    metric: Metric
    layout: Layout
    """The rows: which there are, and how a holdout of them is written."""
    statistics: tuple[FileStatistics, ...]
    """Every file or folder of the input, train, test and sample submission first."""
    labelled: bool
    """Train and test are tables and the target is a column of train, so that rows can be withheld and graded."""
    notes: tuple[str, ...] = ()
    """How each field of the spec was inferred, and the warnings, one line each, for `mlestar check`."""
    warnings: tuple[str, ...] = ()
    """What is left out or guessed, one line each; a run shows them at its beginning."""
    own_metric: bool = False
    """`metric` is an object of the caller's, which other processes do not have."""
    settled: frozenset[str] = frozenset()
    """Fields of the spec that the user set; agents may not change them."""
    _cache: TableCache = field(default_factory=lambda: TableCache(Path()), repr=False, compare=False)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        goal: str | None = None,
        metric: str | Metric | None = None,
        workspace: Path | None = None,
        **overrides: Any,
    ) -> "Task":
        """Read a task folder; `task.toml` takes precedence over inference and keyword arguments over both.

        Archives, workbooks and the like are converted into `workspace`, or into a temporary folder without it.

        Raises:
            TaskError: the folder, a file or a field cannot be understood; the message is one line.
        """
        metric_name = metric if isinstance(metric, str) else None
        metric_object = metric if isinstance(metric, Metric) else None
        settings = read_overrides(folder, {**overrides, "metric": metric_name})
        prepared = prepare_input(read_task_folder(folder), settings, workspace)
        contents, settings = prepared.contents, prepared.overrides
        cache = TableCache(contents.input)
        if prepared.temporary is not None:
            weakref.finalize(cache, shutil.rmtree, prepared.temporary, ignore_errors=True)
        description = "\n\n".join(text for text in (goal, contents.description) if text)
        inference = infer_spec(contents, settings, description, cache, metric_object)
        statistics = _describe_files(contents, inference.layout, cache, inference.rules)
        codes = _note_codes(statistics)
        warnings = (*inference.warnings, *_doubts(statistics))
        return cls(
            folder=folder,
            input=contents.input,
            description=description or _default_description(inference.spec),
            spec=inference.spec,
            metric=inference.metric,
            layout=inference.layout,
            statistics=statistics,
            labelled=inference.labelled,
            notes=(
                *prepared.notes,
                *inference.notes,
                *describe_relations(statistics, inference.layout.names),
                *codes,
                *warnings,
            ),
            warnings=(*codes, *warnings),
            own_metric=metric_object is not None,
            settled=_settled(settings, metric_object),
            _cache=cache,
        )

    @property
    def train(self) -> TaskFile:
        """The labelled rows."""
        return self.layout.train

    @property
    def test(self) -> TaskFile:
        """The rows to predict; none where there is no test file."""
        return self.layout.test

    @property
    def sample(self) -> TaskFile | None:
        """The sample submission."""
        return self.layout.sample

    def showing(self, rows: np.ndarray) -> "Task":
        """Return the task with statistics that are computed from these rows of train only."""
        known = {name: codes for file in self.statistics for name, codes in known_codes(file).items()}
        rules = MissingRules(known=known, guess=False)
        described = {file.file: file for file in self.layout.describe(rows, rules)}
        return replace(self, statistics=tuple(described.get(file.file, file) for file in self.statistics))

    def table(self, name: str) -> Table:
        """Return a table of the input folder by its file name, read once."""
        return self._cache.get(name)


def _default_description(spec: TaskSpec) -> str:
    return f"Predict {', '.join(spec.target)} for every row of {spec.test}; the metric is {spec.metric}."


def _doubts(statistics: Sequence[FileStatistics]) -> list[str]:
    """Return a line for each column whose numbers or dates may be written in another way than was decided."""
    columns = [(file.file, column) for file in statistics for column in file.columns if column.doubt]
    return [
        f"{file}: {column.name!r} is read like {column.number_format or column.date_format}, a guess: {column.doubt}"
        for file, column in columns
    ]


def _settled(settings: Overrides, metric: Metric | None) -> frozenset[str]:
    fields = {name for name, value in settings if value is not None}
    if metric or settings.metric:
        fields |= {"metric", "direction"}
    return frozenset(fields)


def _note_codes(statistics: Sequence[FileStatistics]) -> tuple[str, ...]:
    """Return what `mlestar check` shows about codes for missing values; a column of several tables once."""
    codes: dict[str, ColumnCodes] = {}
    shares: dict[str, float] = {}
    for file in statistics:
        for column in file.columns:
            if column.codes_from is not None and column.name not in codes:
                codes[column.name] = ColumnCodes(column.missing_codes, column.codes_from)
                shares[column.name] = column.coded
    return tuple(describe_codes(codes, shares))


def _describe_files(
    contents: TaskFolder, layout: Layout, cache: TableCache, rules: MissingRules
) -> tuple[FileStatistics, ...]:
    """Describe the files of the layout first, then every other entry by itself."""
    statistics = layout.describe(rules=rules)
    names = {file.file.removesuffix("/") for file in statistics}
    entries = dict.fromkeys(file.split("/")[0] for file in layout.other_files)
    others = [name for name in dict.fromkeys((*layout.names, *entries)) if name not in names]
    present = [name for name in others if (contents.input / name).exists()]
    return statistics + tuple(_describe_entry(contents, name, layout, cache, rules) for name in present)


def _describe_entry(
    contents: TaskFolder, name: str, layout: Layout, cache: TableCache, rules: MissingRules
) -> FileStatistics:
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
    statistics = table_statistics(name, table, rules=rules)
    if layout.train.frame is None:
        return statistics
    return link_columns(statistics, table.frame, layout.train.name, layout.train.frame)
