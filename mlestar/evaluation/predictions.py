"""The cells of one prediction column: labels, probabilities, values or texts."""

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.metrics import Metric, canonical_labels

_MANY = 50
"""Rows above which predictions of nothing but 0 and 1 cannot be probabilities."""


class Rejected(Exception):
    """A submission is not valid; the message says where and what to do."""


def show(text: str, limit: int = 40) -> str:
    """Quote foreign text, shortened."""
    return repr(text if len(text) <= limit else text[:limit] + "...")


def parse_column(spec: TaskSpec, metric: Metric, column: str, cells: pd.Series, labels: frozenset[str]) -> np.ndarray:
    """Return floats for values and probabilities, canonical text for labels, the text itself for texts.

    Raises:
        Rejected: a cell is not what the metric wants.
    """
    if spec.prediction_kind == "text":
        return cells.to_numpy(dtype=object)
    if spec.prediction_kind == "label":
        return _labels(metric, column, cells, labels)
    values = _numbers(spec, column, cells)
    if spec.prediction_kind == "probability":
        _refuse(column, cells, (values < 0) | (values > 1), "is not a probability; keep all between 0 and 1")
        _refuse_hard(spec, column, values)
    if metric.non_negative:
        _refuse(column, cells, values < 0, f"is negative, which {metric.name} does not allow; clip at 0")
    if metric.integer:
        _refuse(column, cells, values != np.round(values), "is not an integer; round it")
    return values


def check_sample(spec: TaskSpec, frame: pd.DataFrame, sample: pd.DataFrame | None) -> None:
    """Refuse the sample submission handed back.

    Args:
        spec: the task's spec.
        frame: the submission's cells, in the order of the expected rows.
        sample: the sample's cells in the same order.
    """
    if sample is None or len(sample) != len(frame) or not len(frame):
        return
    columns = [column for column in spec.prediction_columns if column in sample.columns]
    if columns and all(_same(spec, frame[column], sample[column]) for column in columns):
        msg = "every prediction equals the sample submission: predict with a trained model"
        raise Rejected(msg)


def constant_warning(values: np.ndarray) -> tuple[str, ...]:
    """Warn when all rows get one prediction."""
    wide = values.reshape(len(values), -1)
    if len(wide) < 2 or not (wide == wide[0]).all():
        return ()
    return (f"all {len(wide)} predictions are the same: {', '.join(show(str(value)) for value in wide[0][:5])}",)


def _same(spec: TaskSpec, mine: pd.Series, theirs: pd.Series) -> bool:
    if spec.prediction_kind in ("value", "probability"):
        left, right = (pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy() for cells in (mine, theirs))
        return bool((left == right).all())
    if spec.prediction_kind == "label":
        return bool((canonical_labels(mine) == canonical_labels(theirs)).all())
    return bool((mine.to_numpy() == theirs.to_numpy()).all())


def _numbers(spec: TaskSpec, column: str, cells: pd.Series) -> np.ndarray:
    texts = cells.str.strip()
    _refuse(column, cells, (texts == "").to_numpy(), "is empty; predict every row")
    values = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float)
    missing = np.isnan(values)
    hint = (
        "" if spec.prediction_kind == "value" or spec.pos_label is None else f" (the probability of {spec.pos_label!r})"
    )
    _refuse(column, cells, missing, f"is not a number; write a finite number{hint} in every row")
    _refuse(column, cells, np.isinf(values), "is infinite; write a finite number in every row")
    return values


def _labels(metric: Metric, column: str, cells: pd.Series, labels: frozenset[str]) -> np.ndarray:
    found = canonical_labels(cells)
    unknown = ~pd.Series(found).isin(labels).to_numpy() if labels else found == ""
    if not unknown.any():
        return found
    _refuse(column, cells, unknown & (found == ""), "is empty; predict every row")
    values = pd.to_numeric(cells.str.strip(), errors="coerce").to_numpy(dtype=float)
    fractional = np.isfinite(values) & (values != np.round(values))
    if metric.integer:
        _refuse(column, cells, fractional, f"is not an integer; round and clip to {_listed(labels)}")
    probable = fractional & (values > 0) & (values < 1)
    advice = f"{metric.name} wants labels: write one of {_listed(labels)}"
    _refuse(column, cells, probable, f"looks like a probability, but {advice}")
    _refuse(column, cells, unknown, f"is not a known label; {advice}")
    return found


def _refuse_hard(spec: TaskSpec, column: str, values: np.ndarray) -> None:
    if len(values) >= _MANY and len(spec.prediction_columns) == 1 and set(np.unique(values)) == {0.0, 1.0}:
        msg = (
            f"column {column!r} holds only 0 and 1, which are labels, but {spec.metric} wants probabilities: "
            "use predict_proba; clip to [0.001, 0.999] if a model is that certain"
        )
        raise Rejected(msg)


def _refuse(column: str, cells: pd.Series, wrong: np.ndarray, why: str) -> None:
    """Reject on the first wrong cell; the index of the cells counts the submission's own rows."""
    if not wrong.any():
        return
    row = int(wrong.argmax())
    more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
    msg = f"column {column!r}, row {cells.index[row] + 1}: {show(cells.iloc[row])} {why}{more}"
    raise Rejected(msg)


def _listed(labels: frozenset[str]) -> str:
    ordered = sorted(labels, key=lambda label: (len(label), label))
    return ", ".join(show(label) for label in ordered[:12]) + (", ..." if len(ordered) > 12 else "")
