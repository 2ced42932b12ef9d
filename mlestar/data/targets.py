"""Which rows of train have a target that can be learned: missing, infinite and unreadable ones have none."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mlestar.data.missing import parse_numbers
from mlestar.data.statistics import MISSING
from mlestar.data.tables.numbers import read_numbers
from mlestar.metrics.spec import PredictionKind, TaskSpec

_MISSING_WORDS = {"", "na", "n/a", "nan", "null", "<na>", "#n/a", "-nan", "nat", "none", "\\n"}
"""Labels that programs write where there is none, in lower case."""
_MIN_CODES = 3
"""Other labels, all of two capitals, from which NA is one of such codes. Chosen by judgement; not measured."""


def missing_labels(labels: Iterable[str], named: Collection[str] = ()) -> frozenset[str]:
    """Return those of the labels that stand for a missing target.

    `None` beside words and NA beside other codes of two letters are classes, as is any label that is named elsewhere.

    Args:
        labels: the different labels of a target.
        named: labels that the settings, the description's columns or the sample submission name.
    """
    names = {label.strip() for label in labels}
    suspects = {label for label in names if label.lower() in _MISSING_WORDS and label not in named}
    others = names - suspects - {""}
    if others and not any(is_number(label) or label.lower() in ("true", "false") for label in others):
        suspects -= {label for label in suspects if label.lower() == "none"}
    if len(others) >= _MIN_CODES and all(len(label) == 2 and label.isupper() for label in others):
        suspects.discard("NA")
    return frozenset(suspects)


def words_as_classes(classes: Iterable[str]) -> tuple[str, ...]:
    """Return the classes that usually stand for a missing value, and that readers of CSV take for one."""
    return tuple(label for label in classes if label.lower() in _MISSING_WORDS or label in MISSING)


def filled_labels(cells: pd.Series, classes: Collection[str]) -> np.ndarray:
    """Return a mask of the cells that are a label; `classes` are labels also where their word means missing."""
    texts = cells.str.strip()
    return np.asarray(~texts.str.lower().isin(_MISSING_WORDS) | (texts.isin(list(classes)) & (texts != "")))


def target_values(targets: pd.DataFrame, formats: Mapping[str, str], missing: Sequence[str] = ()) -> pd.DataFrame:
    """Return targets as floats, NaN where they are missing.

    Args:
        targets: the cells.
        formats: the number formats, by column.
        missing: codes for missing values.
    """
    return targets.apply(lambda cells: _values(cells, formats.get(str(cells.name), ""), missing))


def _values(cells: pd.Series, style: str, missing: Sequence[str]) -> pd.Series:
    values = read_numbers(cells, style)
    codes = np.concatenate([parse_numbers(missing), read_numbers(pd.Series(missing, dtype=object), style)])
    return pd.Series(np.where(np.isin(values, codes), np.nan, values), cells.index)


def labelled_mask(spec: TaskSpec, targets: pd.DataFrame) -> np.ndarray:
    """Return a mask of the rows whose targets are all there, as finite numbers where these are values."""
    return np.asarray(_filled(spec.prediction_kind, spec, targets).all(axis=1))


def usable_mask(spec: TaskSpec, targets: pd.DataFrame) -> np.ndarray:
    """Return a mask of the rows that a script may learn from: some target is there, and none is infinite."""
    usable = _filled(spec.prediction_kind, spec, targets).any(axis=1)
    if spec.prediction_kind == "value":
        infinite = np.isinf(target_values(targets, spec.number_formats).to_numpy())
        usable = usable & ~infinite.any(axis=1)
    return np.asarray(usable)


def infinite_rows(spec: TaskSpec, targets: pd.DataFrame) -> int:
    """Return how many rows have an infinite target."""
    if spec.prediction_kind != "value":
        return 0
    return int(np.isinf(target_values(targets, spec.number_formats).to_numpy()).any(axis=1).sum())


def _filled(kind: PredictionKind, spec: TaskSpec, targets: pd.DataFrame) -> pd.DataFrame:
    if kind == "value":
        values = target_values(targets, spec.number_formats, spec.missing_targets)
        return pd.DataFrame(np.isfinite(values.to_numpy()), values.index, values.columns)
    if kind == "text":
        return targets != ""
    return targets.apply(lambda cells: pd.Series(filled_labels(cells, spec.classes), cells.index))


def is_number(label: str) -> bool:
    """Return whether a label is a number as Python reads it."""
    try:
        float(label)
    except ValueError:
        return False
    return True
