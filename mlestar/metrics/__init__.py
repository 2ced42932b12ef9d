"""The table of metrics: direction, kind of prediction, scoring function and names of each."""

from mlestar.metrics.definition import Formula, Metric
from mlestar.metrics.labels import KnownLabels, canonical, canonical_labels
from mlestar.metrics.lookup import find_form, get_metric, is_built_in, register_metric
from mlestar.metrics.metric import METRICS

__all__ = [
    "METRICS",
    "Formula",
    "KnownLabels",
    "Metric",
    "canonical",
    "canonical_labels",
    "find_form",
    "get_metric",
    "is_built_in",
    "register_metric",
]
