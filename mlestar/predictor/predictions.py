"""Labels, values and probabilities from a checked submission for new rows.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlestar.errors import UserError
from mlestar.metrics.labels import canonical
from mlestar.metrics.spec import TaskSpec
from mlestar.metrics.submitted import plain_numbers

_HALF = 0.5


@dataclass(frozen=True)
class Predictions:
    """The predictions for new rows."""

    spec: TaskSpec
    labels: tuple[str, ...]
    """The distinct labels of train, in the spelling of train; empty for values."""
    submission: pd.DataFrame
    """The predictions as they are submitted, as text: the rows in their order, the id first if the frame has it."""
    index: pd.Index
    """Of the frame."""

    @classmethod
    def read(cls, spec: TaskSpec, labels: tuple[str, ...], text: str, cells: pd.DataFrame, frame: Any) -> "Predictions":
        """Return the predictions in a submission.

        Args:
            spec: of the task.
            labels: the distinct labels of train.
            text: the submission; its rows are in the order of the frame.
            cells: the checked rows.
            frame: what the caller passed.
        """
        return cls.of_table(spec, labels, cls.table(spec, text), cells, frame)

    @staticmethod
    def table(spec: TaskSpec, text: str) -> pd.DataFrame:
        """Return the cells of a submission as text."""
        return pd.read_csv(
            io.StringIO(text), sep=spec.submission_delimiter, dtype=str, keep_default_na=False, na_filter=False
        )

    @classmethod
    def of_table(
        cls, spec: TaskSpec, labels: tuple[str, ...], table: pd.DataFrame, cells: pd.DataFrame, frame: Any
    ) -> "Predictions":
        """Return the predictions in the cells of a submission; the other arguments are those of `read`."""
        columns = {name: table[name].to_numpy() for name in spec.prediction_columns}
        if spec.id is not None and spec.id in cells.columns:
            columns = {spec.id: cells[spec.id].to_numpy(), **columns}
        index = frame.index if isinstance(frame, pd.DataFrame) else pd.RangeIndex(len(cells))
        return cls(spec, labels, pd.DataFrame(columns, index=index, dtype=object), index)

    @staticmethod
    def check_probabilities(spec: TaskSpec) -> None:
        """Refuse a task whose submissions hold no probabilities.

        Raises:
            UserError: they hold none.
        """
        if spec.prediction_kind != "probability":
            msg = f"submissions for {spec.metric} hold no probabilities but {spec.prediction_kind}s: use predict"
            raise UserError(msg)

    def labels_or_values(self) -> pd.DataFrame:
        """Return labels or values, a column for each target."""
        spec = self.spec
        if spec.prediction_kind == "value":
            return self._frame(self.targets(), self.numbers())
        if spec.prediction_kind == "probability":
            return self._most_probable()
        columns = [self.submission[name] for name in spec.prediction_columns]
        if spec.prediction_kind == "label":
            columns = [_typed(column, self.labels) for column in columns]
        table = pd.concat(columns, axis=1)
        table.columns = pd.Index(self.targets())
        return table

    def probabilities(self) -> pd.DataFrame:
        """Return probabilities, a column for each class, or for each target where several targets have one class each.

        Raises:
            UserError: they are scores that only order the rows.
        """
        self.check_probabilities(self.spec)
        numbers = self.numbers()
        if ((numbers < 0) | (numbers > 1)).any():
            msg = f"the script submits scores outside of 0 to 1 for {self.spec.metric}, which are no probabilities"
            raise UserError(msg)
        if classes := self._two_classes():
            return self._frame(_typed_names(classes, self.labels), np.hstack([1 - numbers, numbers]))
        if self._has_a_column_for_each_class():
            return self._frame(_typed_names(self.spec.classes, self.labels), numbers)
        return self._frame(self.targets(), numbers)

    def _most_probable(self) -> pd.DataFrame:
        spec, numbers = self.spec, self.numbers()
        if classes := self._two_classes():
            chosen = np.array(classes, dtype=object)[(numbers[:, 0] >= _HALF).astype(int)]
        elif self._has_a_column_for_each_class():
            chosen = np.array(spec.classes, dtype=object)[numbers.argmax(axis=1)]
        else:
            return self._frame(self.targets(), (numbers >= _HALF).astype(int))
        column = _typed(pd.Series(chosen, index=self.index, dtype=object), self.labels)
        return column.to_frame(spec.target[0])

    def _has_a_column_for_each_class(self) -> bool:
        """Two targets of two classes have as many columns, but each is that of a target."""
        return len(self.spec.target) == 1 and len(self.spec.classes) == len(self.spec.prediction_columns)

    def _two_classes(self) -> tuple[str, ...]:
        """Return the negative and the positive class where one column holds the probability of the latter."""
        spec = self.spec
        if spec.pos_label is None or len(spec.prediction_columns) > 1 or len(spec.target) > 1:
            return ()
        positive = canonical(spec.pos_label)
        others = [label for label in (*self.labels, *spec.classes) if canonical(label) != positive]
        return (others[0], spec.pos_label) if others else ()

    def class_labels(self) -> list[Any]:
        """Return the class of each column of probabilities; for a single column, the negative and positive class."""
        classes = self._two_classes()
        if not classes and self._has_a_column_for_each_class():
            classes = self.spec.classes
        return _typed_names(classes, self.labels) if classes else [0, 1]

    def numbers(self) -> np.ndarray:
        """Return the predictions as numbers of shape (rows, columns); NaN where a cell is not a number."""
        return np.column_stack(
            [plain_numbers(self.spec, self.submission[name]) for name in self.spec.prediction_columns]
        )

    def targets(self) -> list[str]:
        """Return the names of the targets where there is a prediction for each, else those of the predictions.

        They are in the order of the predictions, which may differ from that of the targets in train.
        """
        names, columns = self.spec.target, self.spec.prediction_columns
        return list(columns if set(names) == set(columns) or len(names) != len(columns) else names)

    def _frame(self, names: Any, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, columns=pd.Index(list(names)), index=self.index)


def _typed(column: pd.Series, labels: tuple[str, ...]) -> pd.Series:
    """Return labels as numbers where all labels of train are numbers."""
    if not labels or pd.to_numeric(pd.Series(labels), errors="coerce").isna().any():
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return column if numbers.isna().any() else numbers


def _typed_names(classes: tuple[str, ...], labels: tuple[str, ...]) -> list[Any]:
    return _typed(pd.Series(classes, dtype=object), labels).tolist()
