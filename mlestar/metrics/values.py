"""Scores of values with a parameter, with a weight for each row, or in units of the naive forecast."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlestar.metrics.scoring import Array, ClassLabels, Text, rmsle

WeightedError = Callable[[Array, Array, Array], float]


def pinball(truth: Array, predicted: Array, labels: ClassLabels, *, quantile: float) -> float:
    error = truth - predicted
    return float(np.maximum(quantile * error, (quantile - 1) * error).mean())


def wape(truth: Array, predicted: Array) -> float:
    """Return the sum of absolute errors over the sum of absolute true values."""
    total = np.abs(truth).sum()
    if not total:
        msg = "WAPE is undefined: all true values are zero"
        raise ValueError(msg)
    return float(np.abs(truth - predicted).sum() / total)


def rmspe(truth: Array, predicted: Array) -> float:
    """Return the root of the mean squared relative error."""
    if not truth.all():
        msg = "RMSPE is undefined: a true value is zero"
        raise ValueError(msg)
    return float(np.sqrt((((truth - predicted) / truth) ** 2).mean()))


def msle(truth: Array, predicted: Array) -> float:
    return rmsle(truth, predicted) ** 2


def mean_weighted(error: WeightedError) -> Callable[[Array, Array, ClassLabels], float]:
    """Adapt a function of truth, predictions and weights, which are the extra values of the rows."""

    def score(truth: Array, predicted: Array, labels: ClassLabels) -> float:
        weights = row_weights(labels)
        columns = zip(truth.reshape(len(truth), -1).T, predicted.reshape(len(predicted), -1).T, strict=True)
        return float(np.mean([error(true, guess, weights) for true, guess in columns]))

    return score


def row_weights(labels: ClassLabels) -> Array:
    """Return the weights of the rows.

    Raises:
        ValueError: one is not a number of at least 0, or all are 0.
    """
    weights = np.asarray(pd.to_numeric(pd.Series(labels.extra[0]), errors="coerce"), dtype=np.float64)
    if not (weights >= 0).all() or not weights.sum():
        msg = "the weights must be numbers of at least 0, and not all 0"
        raise ValueError(msg)
    return weights


def weighted_mae(truth: Array, predicted: Array, weights: Array) -> float:
    return float(np.average(np.abs(truth - predicted), weights=weights))


def weighted_mse(truth: Array, predicted: Array, weights: Array) -> float:
    return float(np.average((truth - predicted) ** 2, weights=weights))


def weighted_rmse(truth: Array, predicted: Array, weights: Array) -> float:
    return float(np.sqrt(weighted_mse(truth, predicted, weights)))


def weighted_rmsle(truth: Array, predicted: Array, weights: Array) -> float:
    rmsle(truth, predicted)  # refuses negative values
    return weighted_rmse(np.log1p(truth), np.log1p(predicted), weights)


def weighted_accuracy(truth: Text, predicted: Text, labels: ClassLabels) -> float:
    right = np.asarray(truth == predicted, dtype=np.float64).reshape(len(truth), -1).mean(axis=1)
    return float(np.average(right, weights=row_weights(labels)))


def naive_scale(
    known: pd.DataFrame, rows: pd.DataFrame, target: str, *, time: str, series: tuple[str, ...], power: int
) -> tuple[NDArray[np.object_], ...]:
    """Return the series of each row, and the mean step of its known values in order of time, to the power.

    A series without steps in the known rows gets the mean of the others.
    """
    values = pd.to_numeric(known[target], errors="coerce").to_numpy()
    frame = pd.DataFrame({"series": _series_names(known, series), "time": _times(known[time]), "value": values})
    frame = frame.dropna().sort_values("time", kind="stable")
    steps = frame.groupby("series")["value"].diff().abs() ** power
    scales = steps.groupby(frame["series"]).mean()
    scales = scales.where(scales > 0)
    if scales.isna().all():
        msg = f"no series of {target!r} has two different values in train, so the naive forecast gives no scale"
        raise ValueError(msg)
    names = _series_names(rows, series)
    scale = pd.Series(names).map(scales).fillna(scales.mean())
    return names, scale.to_numpy(dtype=object)


def _series_names(frame: pd.DataFrame, series: tuple[str, ...]) -> NDArray[np.object_]:
    if not series:
        return np.full(len(frame), "", dtype=object)
    first, *rest = series
    return frame[first].str.cat(frame[rest], sep="\x1f").to_numpy(dtype=object)


def _times(cells: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().any():
        return numbers
    return pd.to_datetime(cells, errors="coerce", format="mixed", utc=True).astype("int64")


def mase(truth: Array, predicted: Array, labels: ClassLabels) -> float:
    """Return the mean absolute error in units of the naive forecast's, averaged over the series."""
    return _mean_of_series(np.abs(truth - predicted) / labels.extra[1].astype(float), labels.extra[0])


def rmsse(truth: Array, predicted: Array, labels: ClassLabels) -> float:
    """Return the root mean squared error in units of the naive forecast's, averaged over the series."""
    squared = pd.Series((truth - predicted) ** 2 / labels.extra[1].astype(float))
    return float(np.sqrt(squared.groupby(labels.extra[0]).mean()).mean())


def _mean_of_series(errors: Array, series: NDArray[np.object_]) -> float:
    return float(pd.Series(errors).groupby(series).mean().mean())
