"""One labelled table, and nothing to predict."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.layouts.sources import TaskFile, empty_rows
from mlestar.data.layouts.tables import new_file
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.statistics import FileStatistics
from mlestar.errors import TaskError


@dataclass(frozen=True, kw_only=True)
class SingleTable(Layout):
    """A labelled table without a test file: rows are withheld and graded, and nothing has to be submitted."""

    name: ClassVar[str] = "single table"

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        name = source.roles.get("train") or _only_table(source)
        if name is None or {"test", "sample_submission"} & set(source.roles) or not source.tables.is_readable(name):
            return None
        train = source.tables.describe(name)
        test = TaskFile(_test_name(name), (), empty_rows(()))
        how = "set" if source.overrides.train else "found"
        note = (
            f"the task has no test file: {test.name} holds rows of {name} without the target, and later new rows. "
            "Write the target columns, a row for each row of the test file, in its order"
        )
        notes = (f"train: {name} ({how})", "test: none, so nothing has to be submitted; rows of train are withheld")
        return cls(source=source, train=train, test=test, has_test=False, note=note, notes=notes)

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        """Describe train, and the test file that an input gets from it."""
        (train,) = super().describe(rows, rules)
        # A field of a nested object is the column `outer.inner`.
        of_test = [column for column in train.columns if {column.name, _outer(column.name)} & set(self.test.columns)]
        return train, train.model_copy(update={"file": self.test.name, "columns": tuple(of_test), "records": ()})

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        table = self.source.tables.get(self.train.name)
        table.write(new_file(folder, self.train.name), rows.train)
        table.write(new_file(folder, self.test.name), rows.withheld, columns=self.test.columns)
        return [self.train.name, self.test.name]


def _test_name(train: str) -> str:
    """Return the name of the test file beside train, in the same format."""
    suffixes = train.rsplit("/", 1)[-1].partition(".")[2]
    return f"test.{suffixes}"


def _only_table(source: TaskSource) -> str | None:
    """Return the only table of a folder.

    Raises:
        TaskError: there are several, and none is named like train.
    """
    tables = [name for name in source.folder.files if source.tables.is_readable(name) and role_of_name(name) is None]
    if len(tables) > 1:
        msg = f"no train file among {', '.join(tables[:6])}: name it train.csv or set train in task.toml"
        raise TaskError(msg)
    return tables[0] if tables else None


def _outer(name: str) -> str:
    return name.partition(".")[0]
