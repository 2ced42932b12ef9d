"""The facts in a prompt, as typed values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlestar.data.names import expand_names, is_cut
from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.data.tables.table import usual_delimiter
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.metrics.spec import TaskSpec
from mlestar.offline.sections import Section, sections


@dataclass(frozen=True)
class Facts:
    """The sections of a prompt."""

    by_tag: dict[str, list[Section]]

    @classmethod
    def read(cls, prompt: str) -> "Facts":
        return cls(sections(prompt))

    def text(self, tag: str, default: str = "") -> str:
        """Return the first section of a tag."""
        tagged = self.by_tag.get(tag)
        return tagged[0].text if tagged else default

    def all(self, tag: str) -> list[Section]:
        return self.by_tag.get(tag, [])

    def data(self, tag: str, default: object = None) -> Any:
        """Return the JSON of a section."""
        text = self.text(tag)
        return json.loads(text) if text.strip() else default

    @cached_property
    def spec(self) -> TaskSpec:
        spec = self.data("spec")
        return TaskSpec.model_validate({name: _whole(value) for name, value in spec.items()})

    @cached_property
    def files(self) -> dict[str, FileStatistics]:
        described = {file["file"]: file for file in self.data("column_statistics", [])}
        train = _own_columns(described.get(self.spec.train, {}))
        return {name: _read_file(file, {} if name == self.spec.train else train) for name, file in described.items()}

    @property
    def cut_classes(self) -> bool:
        """Whether the spec does not list all classes."""
        return is_cut(self.data("spec").get("classes", ()))

    @property
    def cut_predictions(self) -> bool:
        """Whether the spec does not list all prediction columns."""
        return is_cut(self.data("spec").get("prediction_columns", ()))

    @cached_property
    def cut_columns(self) -> bool:
        """Whether the column statistics do not list all columns of train and test."""
        described = [
            file for file in self.data("column_statistics", []) if file["file"] in (self.spec.train, self.spec.test)
        ]
        groups = [group["names"] for file in described for group in file.get("others", [])]
        lists = [file.get(name, []) for file in described for name in ("as_in_train", "as_in_train_without")]
        return any(is_cut(names) for names in (*groups, *lists))

    @cached_property
    def split(self) -> SplitPlan:
        """How the test differs from train; a random split where the prompt has none."""
        plan = self.data("holdout", {})
        return SplitPlan.model_validate(plan) if plan else SplitPlan(kind="random", fraction=0.2)

    @cached_property
    def environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.data("environment", {})
        return environment

    @property
    def packages(self) -> frozenset[str]:
        installed = (*self.environment.get("packages", {}), *self.environment.get("other_packages", ()))
        return frozenset(name.lower() for name in installed)

    @property
    def seconds(self) -> float:
        """Time limit of a script, in seconds."""
        return float(self.environment.get("seconds", 600))

    @property
    def track(self) -> int:
        return int(self.text("track", "0") or 0)

    @property
    def attempt(self) -> int:
        return int(self.text("attempt", "0") or 0)

    @property
    def test_columns(self) -> tuple[ColumnStatistics, ...]:
        """Train's columns that test has too, without the id and the targets."""
        train, test = self.files.get(self.spec.train), self.files.get(self.spec.test)
        if train is None or test is None:
            return ()
        names = {column.name for column in test.columns} - {self.spec.id, *self.spec.target, *self.spec.train_only}
        return tuple(column for column in train.columns if column.name in names)

    @cached_property
    def labels_file(self) -> FileStatistics | None:
        """The table with the targets; None where they are in the train file."""
        train, targets = self.files.get(self.spec.train), set(self.spec.target)
        if train is None or targets & {column.name for column in train.columns}:
            return None
        others = [file for file in self.files.values() if targets <= {column.name for column in file.columns}]
        return next((file for file in others if file.file not in (self.spec.test, self.spec.sample_submission)), None)

    @property
    def labels_key(self) -> str | None:
        """The column that joins labels to train rows; None where both are in the same order."""
        train, labels = self.files.get(self.spec.train), self.labels_file
        if train is None or labels is None:
            return None
        names = {column.name for column in train.columns}
        shared = [column for column in labels.columns if column.name in names]
        if any(column.name == self.spec.id for column in shared):
            return self.spec.id
        key = max(shared, key=lambda column: column.distinct, default=None)
        rows = max((column.distinct for column in (*train.columns, *labels.columns)), default=0)
        return key.name if key and key.distinct >= rows else None

    def column(self, name: str | None) -> ColumnStatistics | None:
        """Return the statistics of a train column, or of a target in a table of its own."""
        files = (self.files.get(self.spec.train), self.labels_file)
        columns = (column for file in files if file for column in file.columns)
        return next((column for column in columns if column.name == name), None)


def _whole(value: object) -> object:
    return expand_names(value) if isinstance(value, list) else value


def _own_columns(file: Mapping[str, Any]) -> dict[str, ColumnStatistics]:
    """Return the columns that are described with a file, by name; columns of a shared entry get its statistics."""
    columns = [ColumnStatistics.model_validate(column) for column in file.get("columns", [])]
    for group in file.get("others", []):
        common = {"kind": group["kind"], "distinct": group["distinct"][1], "missing": group["missing"][1]}
        common |= {name: group.get(name, "") for name in ("number_format", "date_format")}
        common |= {"missing_codes": group.get("missing_codes", ())}
        columns += [ColumnStatistics(name=name, **common) for name in expand_names(group["names"])]
    return {column.name: column for column in columns}


def _read_file(file: Mapping[str, Any], train: Mapping[str, ColumnStatistics]) -> FileStatistics:
    """Return a file with all its columns, including those that are described with train."""
    if "as_in_train_without" in file:
        left_out = set(expand_names(file["as_in_train_without"]))
        repeated = [name for name in train if name not in left_out]
    else:
        repeated = [name for name in expand_names(file.get("as_in_train", [])) if name in train]
    columns = {name: train[name] for name in repeated} | _own_columns(file)
    delimiter = file.get("delimiter", usual_delimiter(file["file"]))
    nested = tuple(expand_names(file.get("nested", [])))
    return FileStatistics(
        file=file["file"], size=0, delimiter=delimiter, nested=nested, columns=tuple(columns.values())
    )
