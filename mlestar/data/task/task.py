"""A task folder that was read."""

import filecmp
import shutil
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from mlestar.data.folder import MAX_DESCRIPTION, TaskFolder, read_task_folder
from mlestar.data.keys import link_columns
from mlestar.data.layouts import Layout, TableCache, TaskFile
from mlestar.data.missing import NO_RULES, ColumnCodes, MissingRules, describe_codes
from mlestar.data.overrides import Overrides, read_overrides
from mlestar.data.prepared import prepare_input
from mlestar.data.relations import describe_relations
from mlestar.data.statistics import (
    LARGEST,
    FileStatistics,
    file_statistics,
    folder_statistics,
    table_statistics,
)
from mlestar.data.tables import Table, is_table, read_table
from mlestar.data.task.inference.missing import share_codes
from mlestar.data.task.inference.spec import infer_spec
from mlestar.data.task.representation import task_html, task_text
from mlestar.errors import TaskError, UserError
from mlestar.metrics import Metric
from mlestar.metrics.spec import TaskSpec

T = TypeVar("T")


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
    _rules: MissingRules = field(default=NO_RULES, repr=False, compare=False)
    """What is known of codes for missing values before the cells are read."""
    _results: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

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
        if goal and len(goal) > MAX_DESCRIPTION:
            msg = f"the goal has {len(goal):,} characters, more than {MAX_DESCRIPTION:,}: put data into files"
            raise TaskError(msg)
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
            _rules=inference.rules,
        )

    def __repr__(self) -> str:
        return task_text(self)

    def _repr_html_(self) -> str:
        return task_html(self)

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

    def showing(self, rows: np.ndarray, apart: int = 0) -> "Task":
        """Return the task with statistics, and codes for missing values, from these rows of train only.

        Args:
            rows: of train.
            apart: rows of train that do not count as such.
        """
        total, others = len(self.train.rows), {self.test.name, self.spec.sample_submission}
        described = {file.file: file for file in self.layout.describe(rows, self._rules_of(rows))}
        for name, file in described.items():
            if file.rows == total and name not in others:
                described[name] = file.model_copy(update={"rows": total - apart})
        statistics = tuple(described.get(file.file, file) for file in self.statistics)
        spec = self.spec.model_copy(update={"train_rows": total - apart})
        return replace(self, spec=spec, statistics=statistics)

    def showing_staged(self, folder: Path, rows: np.ndarray) -> "Task":
        """Return the task with files besides train and test described as a staged input has them.

        Files that it does not have are left out.

        Args:
            folder: the staged input.
            rows: of train, which tables may be joined with.
        """
        shown = [self._describe_staged(file, folder, rows) for file in self.statistics]
        statistics = tuple(file for file in shown if file is not None)
        auxiliary = tuple(name for name in self.spec.auxiliary if (folder / name).exists())
        return replace(self, statistics=statistics, spec=self.spec.model_copy(update={"auxiliary": auxiliary}))

    def _rules_of(self, rows: np.ndarray) -> MissingRules:
        """Return what is known of codes for missing values when only these rows of train are."""
        frame = self.train.frame
        return self._rules if frame is None else share_codes(self._rules, frame.iloc[rows])

    def _describe_staged(self, file: FileStatistics, folder: Path, rows: np.ndarray) -> FileStatistics | None:
        """Describe a file or folder as it is staged; None where it is not, and unchanged where it is the task's own."""
        name = file.file.removesuffix("/")
        if name in self.layout.names:
            return file
        if file.file.endswith("/"):
            return self._describe_staged_folder(file, folder)
        path = folder / name
        if not path.exists():
            return None
        if same_content(path, self.input / name):
            return file
        frame = None if self.train.frame is None else self.train.frame.iloc[rows]
        return describe_file(name, path, lambda: read_table(path), self.train.name, frame, self._rules_of(rows))

    def _describe_staged_folder(self, file: FileStatistics, folder: Path) -> FileStatistics | None:
        """Describe the files of a folder that are staged; files of test rows are those of the real test."""
        name = file.file.removesuffix("/")
        files = [other for other in self.layout.source.folder.files if other.startswith(file.file)]
        present = [other for other in files if (folder / other).exists()]
        if len(present) == len(files) or (not present and all(self.layout.owns(other) for other in files)):
            return file
        if not present:
            return None
        return folder_statistics(name, folder / name, [other.removeprefix(file.file) for other in present])

    def table(self, name: str) -> Table:
        """Return a table of the input folder by its file name, read once."""
        return self._cache.get(name)

    def remember(self, name: str, compute: Callable[[], T]) -> T:
        """Return what was computed under a name, once for the files of this task however its spec is completed."""
        if name not in self._results:
            self._results[name] = compute()
        result: T = self._results[name]
        return result


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
    return describe_file(name, path, lambda: cache.get(name), layout.train.name, layout.train.frame, rules)


def describe_file(
    name: str,
    path: Path,
    read: Callable[[], Table],
    train: str,
    frame: pd.DataFrame | None,
    rules: MissingRules,
) -> FileStatistics:
    """Describe a file besides those with a role.

    Args:
        name: of the file, in the input folder.
        path: where it is.
        read: reads it, if it is a table.
        train: the name of the train file.
        frame: the rows of train that it may be joined with.
        rules: what is known of codes for missing values.
    """
    if not is_table(path) or path.stat().st_size > LARGEST:
        return file_statistics(name, path)
    try:
        table = read()
    except UserError as error:
        return FileStatistics(file=name, size=path.stat().st_size, note=str(error))
    statistics = table_statistics(name, table, rules=rules)
    return statistics if frame is None else link_columns(statistics, table.frame, train, frame)


def same_content(path: Path, other: Path) -> bool:
    """Return whether two files hold the same."""
    return path.samefile(other) or filecmp.cmp(path, other, shallow=False)
