"""What a layout is: how a task keeps its rows in files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from mlestar.data.folder import TaskFolder
from mlestar.data.layouts.roles import ROLES, find_roles
from mlestar.data.layouts.sources import TableCache, TaskFile, empty_rows
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.overrides import Overrides
from mlestar.data.same_form import describe_alike
from mlestar.data.statistics import FileStatistics, describe_tables
from mlestar.data.tables import is_table
from mlestar.metrics.spec import Modality

PlaceFile = Callable[[Path, Path], None]
"""Stages a file that is not changed, by a link or a copy, and makes it read-only: (source, target)."""


@dataclass(frozen=True)
class TaskSource:
    """What a layout is recognised from."""

    folder: TaskFolder
    overrides: Overrides
    tables: TableCache
    description: str
    """The goal and the description."""

    @cached_property
    def roles(self) -> dict[str, str]:
        """The files by role (`train`, `test`, `sample_submission`) that are set or that names suggest."""
        return find_roles(self.folder, self.overrides, self.tables)

    def has_table(self, role: str) -> bool:
        """Return whether a role has a file that is a table."""
        return role in self.roles and is_table(self.folder.input / self.roles[role])

    def table(self, role: str) -> TaskFile:
        """Return the table of a role."""
        return self.tables.describe(self.roles[role])

    def notes(self) -> tuple[str, ...]:
        """Return a line for each role, for `mlestar check`."""
        settings = {role: getattr(self.overrides, role) for role in self.roles}
        names = sorted(self.roles.items(), key=lambda item: ROLES.index(item[0]))
        return tuple(f"{role}: {name} ({'set' if settings[role] else 'found'})" for role, name in names)


@dataclass(frozen=True)
class HoldoutRows:
    """The rows of a holdout, as numbers of the labelled rows, for `Layout.write`."""

    train: np.ndarray
    withheld: np.ndarray
    targets: tuple[str, ...]
    id: str | None = None
    ids: pd.Series | None = None
    """Ids of the withheld rows, as text."""


class SubmissionLines(Protocol):
    """The lines of a submission that has several for each row, in their order; too many to hold as text."""

    @property
    def id(self) -> str:
        """The column that names a line."""
        ...

    @property
    def value(self) -> str:
        """The column of the predictions."""
        ...

    @property
    def counts(self) -> np.ndarray:
        """Number of lines of each row."""
        ...

    def ids(self, row: int) -> pd.Series:
        """Return the ids of a row's lines as text; rows are counted from the first that was asked for."""
        ...

    def truth(self, row: int) -> np.ndarray:
        """Return the true values of a labelled row's lines."""
        ...

    def locate(self, ids: pd.Series) -> np.ndarray:
        """Return the position of each id among all lines; -1 where there is no such line."""
        ...


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """How a task keeps its rows in files.

    A layout lists the labelled rows and the rows to predict, each with its fields as text, and writes a holdout of them
    in the form of the real input. Split, grader and staging work on these rows and never look into files. Yours
    subclasses this and is chosen by `layout = "package.module:Name"` in `task.toml`.
    """

    name: ClassVar[str]
    """How the spec and `mlestar check` call it."""

    source: TaskSource = field(repr=False)
    train: TaskFile
    """The labelled rows; columns are fields and targets."""
    test: TaskFile
    """The rows to predict; without targets."""
    sample: TaskFile | None = None
    """The sample submission."""
    has_test: bool = True
    """False where there are only labelled rows: nothing has to be submitted."""
    note: str = ""
    """A sentence or two for agents on what is where; not needed where train and test are tables."""
    notes: tuple[str, ...] = ()
    """How the files were understood, one line each, for `mlestar check`."""
    modality: Modality | None = None
    """What the rows are; None where columns and suffixes of files tell."""
    split: str | None = None
    """A split in the form of `spec.split` that the rows need; None where train and test are compared."""

    @classmethod
    @abstractmethod
    def find(cls, source: TaskSource) -> Self | None:
        """Return the layout of a task folder, None when its files are in another one.

        Raises:
            TaskError: the files are in this layout, but something contradicts or is missing.
        """

    @abstractmethod
    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        """Write the files of a holdout in the form of the real input; return their names relative to `folder`.

        The withheld rows are written as test rows, without targets; other files are staged by the caller.
        """

    def owns(self, name: str) -> bool:
        """Return whether a file of the input holds rows, so that only `write` may stage it."""
        return name in self.names

    def hides(self, name: str) -> bool:
        """Return whether a file of the input is left out of every staged input, as it holds answers."""
        return False

    def is_row(self, name: str) -> bool:
        """Return whether a file of the input is a row by itself, so that it is described with the other rows."""
        return False

    def submission_lines(self, withheld: np.ndarray | None) -> SubmissionLines | None:
        """Return the lines of a submission where it has several for a row; None where it has one.

        Args:
            withheld: numbers of labelled rows; None for the rows to predict.
        """
        return None

    @property
    def input(self) -> Path:
        """The folder of the data files."""
        return self.source.folder.input

    @property
    def names(self) -> tuple[str, ...]:
        """The files or folders of train, test and sample submission, each once."""
        files = [self.train, self.test, *([self.sample] if self.sample else [])]
        return tuple(dict.fromkeys(file.name for file in files))

    @property
    def other_files(self) -> list[str]:
        """The files of the input that are neither rows by themselves nor left out."""
        return [file for file in self.source.folder.files if not (self.is_row(file) or self.hides(file))]

    def complete(self, targets: Sequence[str]) -> Self:
        """Return the layout once the targets are known: without a test file, a test row has all other columns."""
        if self.has_test:
            return self
        columns = tuple(column for column in self.train.columns if column not in targets)
        return replace(self, test=TaskFile(self.test.name, columns, empty_rows(columns)))

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        """Describe the files of `names` that are tables.

        Args:
            rows: the rows of train to describe, None for all.
            rules: what is known of codes for missing values in train.
        """
        tables = {name: self.source.tables.get(name) for name in self.names if is_table(self.input / name)}
        statistics = describe_tables(tables, {self.train.name: rows}, rules)
        return describe_alike(statistics, tables, (self.train.name, self.test.name), rows, rules)


def without_columns(file: TaskFile, columns: Sequence[str]) -> TaskFile:
    """Return a file without some of its columns."""
    if file.frame is None:
        return file
    kept = [column for column in file.columns if column not in columns]
    return replace(file, columns=tuple(kept), frame=file.frame[kept])
