"""Features and labels of train are in separate tables: `train_values` and `train_labels`, `X_train` and `y_train`."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from mlestar.data.folder import check_name
from mlestar.data.layouts.layout import HoldoutRows, Layout, PlaceFile, TaskSource
from mlestar.data.layouts.roles import LABEL_WORDS, file_words, role_of_name
from mlestar.data.layouts.sources import TaskFile
from mlestar.data.layouts.tables import new_file, write_tables
from mlestar.data.missing import NO_RULES, MissingRules
from mlestar.data.same_form import describe_alike
from mlestar.data.statistics import FileStatistics, describe_tables
from mlestar.data.tables import is_table
from mlestar.errors import TaskError
from mlestar.metrics import canonical_labels

_FEATURES = {"values", "features", "x", "data", "inputs"}


@dataclass(frozen=True, kw_only=True)
class SeparateLabels(Layout):
    """A table of train rows without labels, and a table of labels with the same ids or in the same order."""

    name: ClassVar[str] = "separate labels"

    labels: TaskFile
    key: str | None
    """The column by which labels belong to rows; None where both are in the same order."""
    label_rows: np.ndarray = field(repr=False, compare=False)
    """Number of each labelled row's record in the table of labels."""
    value_rows: np.ndarray = field(repr=False, compare=False)
    """The same in the table of features."""

    @classmethod
    def find(cls, source: TaskSource) -> Self | None:
        names = _find_names(source)
        if names is None:
            return None
        train_name, labels_name, test_name = names
        values, labels = source.tables.describe(train_name), source.tables.describe(labels_name)
        test = source.tables.describe(test_name)
        if values.frame is None or labels.frame is None or test.frame is None:
            return None
        key = _find_key(source, values, labels)
        value_rows, label_rows = _match(values, labels, key)
        targets = [column for column in labels.columns if column not in values.columns]
        if not targets:
            return None
        frame = pd.concat(
            [
                values.frame.iloc[value_rows].reset_index(drop=True),
                labels.frame[targets].iloc[label_rows].reset_index(drop=True),
            ],
            axis=1,
        )
        sample = source.table("sample_submission") if source.has_table("sample_submission") else None
        how = f"by {key!r}" if key else "row by row"
        dropped = len(values.frame) - len(frame)
        notes = [f"train: {train_name}, its labels: {labels_name} ({how})", f"test: {test_name}"]
        if sample is not None:
            notes.append(f"sample_submission: {sample.name}")
        if dropped:
            notes.append(f"{dropped} rows of {train_name} have no labels and are left out of holdouts")
        return cls(
            source=source,
            train=TaskFile(train_name, tuple(frame.columns), frame),
            test=test,
            sample=sample,
            labels=labels,
            key=key,
            label_rows=label_rows,
            value_rows=value_rows,
            note=f"the labels of {train_name} are in {labels_name}, joined {how}",
            notes=tuple(notes),
        )

    @property
    def names(self) -> tuple[str, ...]:
        files = [self.train.name, self.labels.name, self.test.name, *([self.sample.name] if self.sample else [])]
        return tuple(dict.fromkeys(files))

    def write(self, rows: HoldoutRows, folder: Path, place: PlaceFile) -> list[str]:
        raw = replace(rows, train=self.value_rows[rows.train], withheld=self.value_rows[rows.withheld])
        written = write_tables(self, raw, folder)
        kept = self.label_rows[rows.train]
        table = self.source.tables.get(self.labels.name)
        table.write(new_file(folder, self.labels.name), np.sort(kept) if self.key else kept)
        return [*written, self.labels.name]

    def describe(self, rows: np.ndarray | None = None, rules: MissingRules = NO_RULES) -> tuple[FileStatistics, ...]:
        kept = {self.train.name: self.value_rows, self.labels.name: self.label_rows}
        tables = {name: self.source.tables.get(name) for name in self.names if is_table(self.input / name)}
        chosen = {name: None if rows is None else kept[name][rows] for name in kept}
        statistics = describe_tables(tables, chosen, rules)
        return describe_alike(statistics, tables, (self.train.name, self.test.name), chosen[self.train.name], rules)


def _find_names(source: TaskSource) -> tuple[str, str, str] | None:
    """Return the files of features, labels and test; None where there is no file of labels."""
    tables = [name for name in source.folder.files if is_table(source.folder.input / name)]
    labels = source.overrides.labels
    train = source.overrides.train
    for_train = [name for name in tables if role_of_name(name) == "train"]
    if labels:
        labels = check_name(labels, "labels", source.folder)
    else:
        labels = next((name for name in for_train if LABEL_WORDS & set(file_words(name))), None)
    others = [name for name in for_train if name != labels]
    train = train or next((name for name in others if _FEATURES & set(file_words(name))), next(iter(others), None))
    for_test = [name for name in tables if role_of_name(name) == "test"]
    rows_to_predict = [name for name in for_test if not LABEL_WORDS & set(file_words(name))]
    test = source.overrides.test or next(iter(rows_to_predict or for_test), None)
    if not labels or not train or not test or labels == train:
        return None
    if not all(source.tables.is_readable(name) for name in (labels, train, test)):
        return None
    return train, labels, test


def _find_key(source: TaskSource, values: TaskFile, labels: TaskFile) -> str | None:
    """Return the shared column that identifies the rows of both tables; None where both are in the same order.

    Raises:
        TaskError: the tables have different numbers of rows, or rows that their columns say are others.
    """
    if values.frame is None or labels.frame is None:
        return None
    shared = [column for column in labels.columns if column in values.columns]
    preferred = [column for column in shared if column == source.overrides.id] or shared
    for column in preferred:
        value_keys, label_keys = _keys(values.frame[column]), _keys(labels.frame[column])
        if value_keys.is_unique and label_keys.is_unique and value_keys.isin(label_keys).any():
            return column
    if len(values.frame) != len(labels.frame):
        msg = (
            f"{labels.name} has {len(labels.frame)} rows, {values.name} has {len(values.frame)}, and no column "
            "identifies the rows of both: add one"
        )
        raise TaskError(msg)
    for column in shared:
        if not _keys(values.frame[column]).equals(_keys(labels.frame[column])):
            msg = f"{values.name} and {labels.name} differ in {column!r}, which identifies no rows: add a column"
            raise TaskError(f"{msg} that does")
    if not shared and len(labels.columns) > 1:
        _refuse_other_name(values, labels)
    return None


def _refuse_other_name(values: TaskFile, labels: TaskFile) -> None:
    """Refuse labels that name the rows in another order, in a column of another name."""
    if values.frame is None or labels.frame is None:
        return
    unique = {name: keys for name in values.columns if (keys := _keys(values.frame[name])).is_unique}
    for column in labels.columns:
        cells = _keys(labels.frame[column])
        for name, keys in unique.items():
            if cells.is_unique and not cells.equals(keys) and cells.isin(keys).all():
                msg = f"{labels.name} names its rows by {column!r}, {values.name} by {name!r}: give both one name"
                raise TaskError(msg)


def _keys(cells: pd.Series) -> "pd.Index[str]":
    """Return cells as they are compared: 1.0 is 1, unless that makes two of them equal."""
    raw: pd.Index[str] = pd.Index(cells, dtype=object)
    canonical: pd.Index[str] = pd.Index(canonical_labels(cells), dtype=object)
    return canonical if canonical.is_unique else raw


def _match(values: TaskFile, labels: TaskFile, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of features and of labels that belong together."""
    if values.frame is None or labels.frame is None or key is None:
        rows = np.arange(0 if values.frame is None else len(values.frame))
        return rows, rows
    positions = _keys(labels.frame[key]).get_indexer(_keys(values.frame[key]))
    value_rows = np.flatnonzero(positions >= 0)
    return value_rows, positions[value_rows]
