"""Values of arrays as text cells, and the targets that arrays of labels are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.errors import TaskError


@dataclass(frozen=True)
class TargetCells:
    """The target columns of labelled rows."""

    columns: dict[str, pd.Series]
    note: str
    """What the values are, for agents."""


def as_cells(values: np.ndarray) -> pd.Series:
    """Return a one-dimensional array as text; what is not a number is empty."""
    if values.dtype.kind == "S":
        return pd.Series([value.decode("utf-8", errors="replace") for value in values], dtype=str)
    if values.dtype.kind == "f":
        return pd.Series(["" if np.isnan(value) else repr(value.item()) for value in values], dtype=str)
    return pd.Series(values.astype(str), dtype=str)


def target_cells(labels: Sequence[tuple[str, np.ndarray]], sample: Sequence[str]) -> TargetCells:
    """Return the target columns of arrays of labels, each with its name.

    The columns are named as the sample submission names its predictions, where it has as many.

    Raises:
        TaskError: labels have more than two dimensions.
    """
    columns: dict[str, pd.Series] = {}
    notes: list[str] = []
    for name, values in labels:
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim == 1:
            columns[name] = as_cells(values)
        elif values.ndim > 2:
            msg = f"the labels {name!r} have {values.ndim} dimensions: only one value, or a few, for each row are read"
            raise TaskError(msg)
        elif _is_one_hot(values):
            classes = sample[-values.shape[1] :] if len(sample) > values.shape[1] else ()
            names = np.array(classes or [str(number) for number in range(values.shape[1])], dtype=object)
            columns[name] = pd.Series(names[values.argmax(axis=1)], dtype=str)
            notes.append(f"{name} is one-hot: a column for each class, in the order {', '.join(names[:20])}")
        else:
            columns |= {f"{name}_{number}": as_cells(column) for number, column in enumerate(values.T)}
    renamed = _names(list(columns), sample)
    notes += [f"the target {new!r} is {old}" for old, new in renamed.items() if old != new]
    return TargetCells({renamed[name]: cells for name, cells in columns.items()}, "; ".join(notes))


def _is_one_hot(values: np.ndarray) -> bool:
    return values.shape[1] > 1 and bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _names(columns: Sequence[str], sample: Sequence[str]) -> dict[str, str]:
    if len(sample) in (len(columns), len(columns) + 1):
        return dict(zip(columns, sample[len(sample) - len(columns) :], strict=True))
    return {name: name for name in columns}
