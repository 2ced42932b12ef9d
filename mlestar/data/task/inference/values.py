"""The values of a target: how they are written, and whether the metric is defined for them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mlestar.data.statistics import MISSING
from mlestar.data.tables.numbers import NumberStyle, file_decimal, find_style, read_numbers
from mlestar.data.task.inference.columns import TaskColumns
from mlestar.errors import TaskError
from mlestar.metrics import Metric

_RELATIVE = ("mape",)
"""Metrics that divide by the true value."""


def target_styles(train: pd.DataFrame, target: Sequence[str], delimiter: str) -> dict[str, NumberStyle]:
    """Return the number style of each target column of numbers, decided from its cells and the rest of the file."""
    decimal = file_decimal(train, MISSING)
    styles = {name: find_style(_filled(train[name]), decimal=decimal, delimiter=delimiter) for name in target}
    return {name: style for name, style in styles.items() if style is not None}


def check_values(columns: TaskColumns, metric: Metric, cells: pd.DataFrame, formats: Mapping[str, str]) -> None:
    """Refuse a target that is no number, or for which the metric is not defined.

    Raises:
        TaskError: with the first cell that is wrong.
    """
    for name in cells:
        values = read_numbers(cells[name], formats.get(str(name), ""))
        missing = cells[name].str.strip().isin(MISSING).to_numpy()
        _refuse(cells[name], np.isnan(values) & ~missing, "but the metric needs numbers")
        if not np.isfinite(values).any():
            msg = f"the target {name!r} of train has no number in any row: nothing can be learned"
            raise TaskError(msg)
        if metric.non_negative:
            _refuse(cells[name], values < 0, _undefined(metric, "negative values"))
        if metric.name in _RELATIVE:
            _refuse(cells[name], values == 0, _undefined(metric, "zeros"))


def _undefined(metric: Metric, values: str) -> str:
    advice = "choose another metric, correct the target, or set missing in task.toml if they stand for missing values"
    return f"but {metric.name} is not defined for {values}: {advice}"


def _refuse(cells: pd.Series, wrong: np.ndarray, why: str) -> None:
    if not wrong.any():
        return
    row = int(wrong.argmax())
    more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
    msg = f"the target {cells.name!r} of train holds {cells.iloc[row]!r} in row {row + 1}, {why}{more}"
    raise TaskError(msg)


def _filled(cells: pd.Series) -> list[str]:
    return [value for value in cells.unique() if value.strip() not in MISSING]
