"""The targets of the labelled rows, in the forms in which a file may repeat them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from mlestar.data.targets import labelled_mask, target_values
from mlestar.data.task import Task
from mlestar.metrics import canonical_labels

_FEW_VALUES = 20
"""Different numbers up to which they count as classes. Chosen by judgement; not measured."""
_MAX_INDICATORS = 20
"""Classes whose rates are compared with a column, the most common first. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Labels:
    """One target of rows."""

    name: str
    texts: np.ndarray
    """Labels in one spelling; empty where there is none."""
    codes: np.ndarray
    """Numbers of the classes, -1 where there is no label."""
    numbers: np.ndarray | None
    """Values, NaN where there is none; None where the labels are no numbers or few different ones."""
    is_value: bool = False
    """The label is a value, so that its classes do not count."""

    def take(self, rows: np.ndarray) -> "Labels":
        """Return the labels of these rows; a row -1 has no label."""
        known = rows >= 0
        texts = np.where(known, self.texts[rows], "")
        codes = np.where(known, self.codes[rows], -1)
        numbers = None if self.numbers is None else np.where(known, self.numbers[rows], np.nan)
        return Labels(self.name, texts, codes, numbers, self.is_value)

    @property
    def ranks(self) -> np.ndarray | None:
        """Ranks of the values, from 0 to 1: equal for every increasing function of them."""
        if self.numbers is None:
            return None
        return np.asarray(rankdata(self.numbers, nan_policy="omit")) / max(len(self.numbers), 1)

    def columns(self) -> list[np.ndarray]:
        """Return what statistics are made of: the values, or for each class whether a row has it; NaN where unknown."""
        if self.numbers is not None:
            return [self.numbers]
        present, counts = np.unique(self.codes[self.codes >= 0], return_counts=True)
        classes = present[np.argsort(-counts)][: 1 if len(present) == 2 else _MAX_INDICATORS]
        return [np.where(self.codes >= 0, self.codes == code, np.nan) for code in classes]


def read_labels(task: Task) -> tuple[Labels, ...]:
    """Return the targets of the labelled rows, one for each target column."""
    spec, rows = task.spec, task.train.rows
    labelled = labelled_mask(spec, rows[list(spec.target)])
    return tuple(_read(task, rows[name], labelled) for name in spec.target)


def _read(task: Task, cells: pd.Series, labelled: np.ndarray) -> Labels:
    texts = np.where(labelled, canonical_labels(cells), "")
    codes, _ = pd.factorize(texts)
    style = task.spec.number_formats
    numbers = target_values(cells.to_frame(), style).to_numpy(dtype=float)[:, 0]
    numbers = np.where(labelled, numbers, np.nan)
    distinct = np.unique(codes[labelled])
    is_number = bool(labelled.any()) and bool(np.isfinite(numbers[labelled]).all())
    is_value = task.spec.prediction_kind == "value"
    many = len(distinct) > _FEW_VALUES
    return Labels(
        str(cells.name),
        texts,
        np.where(labelled, codes, -1),
        numbers if is_number and (is_value or many) else None,
        is_value and is_number,
    )
