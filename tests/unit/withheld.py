"""Withheld rows and submissions for them, without a task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from mlestar.evaluation.answers import Answers
from mlestar.evaluation.submission import SubmissionForm
from mlestar.metrics import KnownLabels, canonical_labels, get_metric
from mlestar.metrics.spec import TaskSpec

Spec = Mapping[str, object]


def answers(
    metric: str, truth: np.ndarray, spec: Spec = MappingProxyType({}), units: np.ndarray | None = None
) -> Answers:
    """Return what submissions for these rows are graded against; texts are labels."""
    known = get_metric(metric)
    common = {"name": "t", "problem": "regression", "metric": metric, "direction": known.direction, "train": ""}
    shape = {"test": "test.csv", "target": ("y",), "prediction_columns": ("y",), "prediction_kind": known.kind}
    full = TaskSpec.model_validate({**common, **shape, **spec})
    if known.kind != "value":
        truth = np.apply_along_axis(canonical_labels, 0, truth.astype(object))
    labels = KnownLabels(map(str, np.unique(truth)) if known.kind == "label" else ())
    form = SubmissionForm(full, known, len(truth), None, None, labels, 100)
    return Answers("holdout", form, truth, np.arange(len(truth)) if units is None else units, (), 40)


def submit(folder: Path, predicted: np.ndarray, columns: Sequence[str] = ("y",), name: str = "submission") -> Path:
    pd.DataFrame(predicted, columns=list(columns)).to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"
