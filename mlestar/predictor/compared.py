"""Comparing the predictions of a packaged predictor with those of the winner."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.evaluation.submission import SubmissionForm, read_cells
from mlestar.metrics import canonical
from mlestar.metrics.spec import TaskSpec
from mlestar.metrics.submitted import plain_numbers
from mlestar.predictor.package import Check

TOLERANCE = 1e-6
"""Largest accepted difference of numbers: absolute for values up to 1, relative for larger ones. Sums in another order
change results by about 1e-12 in double precision and 1e-7 in single precision."""


def read_predictions(form: SubmissionForm, path: Path) -> pd.DataFrame:
    """Return the cells with predictions, in the order of the expected rows.

    Raises:
        SubmissionError: the rows or columns are not the expected ones.
    """
    return read_cells(form, path)[list(form.spec.prediction_columns)].reset_index(drop=True)


def compare(name: str, spec: TaskSpec, expected: pd.DataFrame, found: pd.DataFrame) -> Check:
    """Return the comparison of predictions with the expected ones, row by row."""
    count = len(expected)
    if len(found) != count:
        detail = f"{name}: {len(found)} predictions in place of {count}"
        return Check(name=name, rows=count, difference=1.0, tolerance=0.0, passed=False, detail=detail)
    if spec.prediction_kind in ("value", "probability"):
        difference, tolerance = _number_difference(spec, expected, found), TOLERANCE
        what = f"the largest difference is {difference:.3g}, more than {tolerance:g}"
    else:
        wrong = expected.map(lambda cell: canonical(str(cell))) != found.map(lambda cell: canonical(str(cell)))
        difference, tolerance = float(wrong.any(axis=1).mean()), 0.0
        what = f"{int(wrong.any(axis=1).sum())} of {count} rows have another prediction"
    passed = difference <= tolerance
    detail = "" if passed else f"{name}: {what}"
    return Check(name=name, rows=count, difference=difference, tolerance=tolerance, passed=passed, detail=detail)


def _number_difference(spec: TaskSpec, expected: pd.DataFrame, found: pd.DataFrame) -> float:
    largest = 0.0
    for column in spec.prediction_columns:
        before, after = plain_numbers(spec, expected[column]), plain_numbers(spec, found[column])
        gap = np.abs(before - after) / np.maximum(1.0, np.abs(before))
        gap = np.where(np.isnan(before) & np.isnan(after), 0.0, np.where(np.isnan(gap), 1.0, gap))
        largest = max(largest, float(np.max(gap, initial=0.0)))
    return min(largest, 1e300)
