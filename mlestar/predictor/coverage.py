"""Intervals and sets of classes around predictions for new rows, from the quantiles that a run stored.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import json
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from mlestar.errors import UserError
from mlestar.evaluation.uncertainty.conformal import Scale, class_sets, class_shares, interval_bounds
from mlestar.evaluation.uncertainty.record import Uncertainty, UncertaintyKind
from mlestar.predictor.predictions import Predictions

LOWER, UPPER, SET = "lower", "upper", "set"
"""Names of the added columns; the name of the target is put in front with several targets, or if a name is taken."""


def check_coverage(
    uncertainty: Uncertainty | None, coverage: float, owner: str, kind: UncertaintyKind | None = None
) -> Uncertainty:
    """Return how sure predictions are, before anything is executed.

    Args:
        uncertainty: of the predictions.
        coverage: share of rows whose true value or class should be inside, between 0 and 1.
        owner: whose predictions they are, in messages.
        kind: intervals or sets; None accepts both.

    Raises:
        UserError: there are no intervals or sets, they are of the other kind, or for too few rows for this coverage.
    """
    if uncertainty is None:
        msg = f"{owner} has no intervals or sets: an older version made it, or it has not ended"
        raise UserError(msg)
    if uncertainty.kind == "none":
        msg = f"{owner} has no intervals or sets: {uncertainty.reason}"
        raise UserError(msg)
    if kind is not None and uncertainty.kind != kind:
        msg = f"predictions of {owner} have {uncertainty.kind}s: use predict_{uncertainty.kind}"
        raise UserError(msg)
    given: Any = coverage
    if not isinstance(given, numbers.Real):
        msg = f"{owner}: the coverage {coverage!r} is no number"
        raise UserError(msg)
    try:
        uncertainty.place(coverage)
    except ValueError as error:
        msg = f"{owner}: {error}"
        raise UserError(msg) from None
    return uncertainty


def limits_of(uncertainty: Uncertainty) -> list[str]:
    """Return the reasons for which the stated coverage may not hold."""
    lines = []
    if not uncertainty.fresh_rows:
        lines.append(
            "no fresh rows checked the coverage, and the winner was chosen by the rows that gave the quantiles"
        )
    if uncertainty.is_too_low:
        lines.append(f"fresh rows were covered less than stated, beyond noise: {uncertainty.summary}")
    return lines if uncertainty.units == "rows" else [*lines, uncertainty.promise]


def with_coverage(predictions: Predictions, uncertainty: Uncertainty, coverage: float) -> pd.DataFrame:
    """Return labels or values with the bounds of their intervals, or with the classes in their sets as tuples.

    A bound is NaN where a prediction is outside the scale of the intervals, such as a negative one on a log scale.
    """
    table = predictions.labels_or_values()
    return pd.concat([table, further_columns(predictions, uncertainty, coverage, table.columns)], axis=1)


def submission_with_coverage(predictions: Predictions, uncertainty: Uncertainty, coverage: float) -> pd.DataFrame:
    """Return the submission with the bounds of intervals, or with sets as JSON lists, as text in added columns."""
    table, mark = predictions.submission, predictions.spec.submission_decimal
    further = further_columns(predictions, uncertainty, coverage, table.columns)
    return pd.concat([table, further.map(lambda value: _write(value, mark))], axis=1)


def further_columns(
    predictions: Predictions, uncertainty: Uncertainty, coverage: float, taken: Collection[str] = ()
) -> pd.DataFrame:
    """Return the ends of intervals, or sets as tuples, under names that are not taken."""
    place, predicted = uncertainty.place(coverage), predictions.numbers()
    names = predictions.targets() if len(uncertainty.targets) > 1 else predictions.spec.target[:1]
    columns: dict[str, Any] = {}
    for number, (name, target) in enumerate(zip(names, uncertainty.targets, strict=True)):
        # All columns of class probabilities belong to one target.
        values = predicted[:, number] if len(names) > 1 or predicted.shape[1] == 1 else predicted
        made = _columns_of_target(values, float(target.quantiles[place] or 0.0), uncertainty.scale, predictions)
        prefix = f"{name}_" if len(names) > 1 or any(column in taken for column in made) else ""
        columns |= {prefix + column: cells for column, cells in made.items()}
    return pd.DataFrame(columns, index=predictions.index)


def _columns_of_target(values: np.ndarray, quantile: float, scale: Scale, predictions: Predictions) -> dict[str, Any]:
    """Return the bounds of intervals, or the classes of sets, the most probable class first."""
    if scale != "probability":
        lower, upper = interval_bounds(values, quantile, scale)
        return {LOWER: lower, UPPER: upper}
    labels, shares = predictions.class_labels(), class_shares(values)
    inside, order = class_sets(shares, quantile), np.argsort(-shares, axis=1, kind="stable")
    sets = [tuple(labels[code] for code in codes if row[code]) for row, codes in zip(inside, order, strict=True)]
    return {SET: pd.Series(sets, index=predictions.index, dtype=object)}


def _write(value: Any, decimal: str) -> str:
    """Return a cell: a number with the decimal mark of the submission, empty for NaN, or a JSON list."""
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return "" if np.isnan(value) else f"{value:.12g}".replace(".", decimal)
