"""Metrics by name: direction, what a prediction is, the scoring function."""

from mlestar.metrics.metric import METRICS, Metric, canonical, canonical_labels, get_metric

__all__ = ["METRICS", "Metric", "canonical", "canonical_labels", "get_metric"]
