"""Checking the cells of one prediction column: labels, probabilities, values or texts."""

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.metrics import KnownLabels, Metric, canonical_labels
from mlestar.metrics.submitted import plain_numbers

_MIN_ROWS = 50
"""Rows from which predictions of nothing but 0 and 1 cannot be probabilities. Chosen by judgement; not measured."""


class SubmissionError(Exception):
    """A submission is not valid; the message says where and what to do."""


def show(text: str, limit: int = 40) -> str:
    """Quote a script's text, shortened."""
    return repr(text if len(text) <= limit else text[:limit] + "...")


def parse_column(spec: TaskSpec, metric: Metric, column: str, cells: pd.Series, labels: KnownLabels) -> np.ndarray:
    """Return floats for values and probabilities, canonical text for labels, the text itself for texts.

    Raises:
        SubmissionError: the metric does not allow a cell.
    """
    if spec.prediction_kind == "text":
        return cells.to_numpy(dtype=object)
    if spec.prediction_kind == "label":
        return _parse_labels(metric, column, cells, labels)
    values = _parse_numbers(spec, column, cells)
    if spec.prediction_kind == "probability":
        _reject(column, cells, (values < 0) | (values > 1), "is not a probability; keep all between 0 and 1")
        _reject_hard_labels(spec, column, values)
    if metric.non_negative:
        _reject(column, cells, values < 0, f"is negative, which {metric.name} does not allow; clip at 0")
    if metric.integer:
        _reject(column, cells, values != np.round(values), "is not an integer; round it")
    return values


def check_sample(spec: TaskSpec, frame: pd.DataFrame, sample: pd.DataFrame | None) -> None:
    """Reject a copy of the sample submission.

    Args:
        spec: the task's spec.
        frame: the submission's cells, in the order of the expected rows.
        sample: the sample's cells in the same order.
    """
    if sample is None or len(sample) != len(frame) or not len(frame):
        return
    columns = [column for column in spec.prediction_columns if column in sample.columns]
    if columns and all(_equal(spec, frame[column], sample[column]) for column in columns):
        msg = "every prediction equals the sample submission: predict with a trained model"
        raise SubmissionError(msg)


def constant_warning(values: np.ndarray) -> tuple[str, ...]:
    """Warn when all rows have the same prediction."""
    rows = values.reshape(len(values), -1)
    if len(rows) < 2 or not (rows == rows[0]).all():
        return ()
    return (f"all {len(rows)} predictions are the same: {', '.join(show(str(value)) for value in rows[0][:5])}",)


def _equal(spec: TaskSpec, cells: pd.Series, sample: pd.Series) -> bool:
    if spec.prediction_kind in ("value", "probability"):
        values, sample_values = (plain_numbers(spec, texts) for texts in (cells, sample))
        return bool((values == sample_values).all())
    if spec.prediction_kind == "label":
        return bool((canonical_labels(cells) == canonical_labels(sample)).all())
    return bool((cells.to_numpy() == sample.to_numpy()).all())


def _parse_numbers(spec: TaskSpec, column: str, cells: pd.Series) -> np.ndarray:
    texts = cells.str.strip()
    _reject(column, cells, (texts == "").to_numpy(), "is empty; predict every row")
    values = plain_numbers(spec, texts)
    hint = ""
    if spec.prediction_kind == "probability" and spec.pos_label is not None:
        hint = f" (the probability of {spec.pos_label!r})"
    if spec.submission_decimal == "," and texts.str.contains(",", regex=False).any():
        points = texts.str.contains(".", regex=False).to_numpy()
        _reject(column, cells, points, "has a point, but other rows have a decimal comma; write commas in every row")
    _reject(column, cells, np.isnan(values), f"is not a number; write a finite number{hint} in every row")
    _reject(column, cells, np.isinf(values), "is infinite; write a finite number in every row")
    return values


def _parse_labels(metric: Metric, column: str, cells: pd.Series, known: KnownLabels) -> np.ndarray:
    texts, labels = known.match(cells), known.labels
    unknown = ~pd.Series(texts).isin(labels).to_numpy() if labels else texts == ""
    if not unknown.any():
        return texts
    _reject(column, cells, unknown & (texts == ""), "is empty; predict every row")
    values = pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy(dtype=float)
    fractions = np.isfinite(values) & (values != np.round(values))
    if metric.integer:
        _reject(column, cells, fractions, f"is not an integer; round and clip to {_list_labels(labels)}")
    advice = f"{metric.name} needs labels: write one of {_list_labels(labels)}"
    _reject(column, cells, fractions & (values > 0) & (values < 1), f"looks like a probability, but {advice}")
    _reject(column, cells, unknown, f"is not a known label; {advice}")
    return texts


def _reject_hard_labels(spec: TaskSpec, column: str, values: np.ndarray) -> None:
    if len(values) >= _MIN_ROWS and len(spec.prediction_columns) == 1 and set(np.unique(values)) == {0.0, 1.0}:
        msg = (
            f"column {column!r} holds only 0 and 1, which are labels, but {spec.metric} needs probabilities: "
            "use predict_proba; clip to [0.001, 0.999] if a model is that certain"
        )
        raise SubmissionError(msg)


def _reject(column: str, cells: pd.Series, wrong: np.ndarray, why: str) -> None:
    """Reject the first wrong cell; the index of the cells counts the submission's own rows."""
    if not wrong.any():
        return
    row = int(wrong.argmax())
    more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
    msg = f"column {column!r}, row {cells.index[row] + 1}: {show(cells.iloc[row])} {why}{more}"
    raise SubmissionError(msg)


def _list_labels(labels: frozenset[str]) -> str:
    ordered = sorted(labels, key=lambda label: (len(label), label))
    return ", ".join(show(label) for label in ordered[:12]) + (", ..." if len(ordered) > 12 else "")
