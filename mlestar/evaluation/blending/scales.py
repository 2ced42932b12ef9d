"""On which scales predictions may be averaged, by what is predicted and how it is scored."""

from mlestar.data.targets import is_number
from mlestar.evaluation.submission import SubmissionForm

RANKED = frozenset({"auroc", "mean_auroc", "average_precision", "spearman", "c_index", "query_ndcg", "query_map"})
"""Metrics to which only the order of the predictions in a column matters."""


class NotBlendedError(Exception):
    """Submissions of this kind cannot be blended; the message says why."""


def find_scales(form: SubmissionForm) -> tuple[str, ...]:
    """Return the scales to choose from, see `stack_members`.

    Raises:
        NotBlendedError: there is none.
    """
    spec, metric = form.spec, form.metric
    if form.lines is not None:
        msg = "a submission has several lines for a row"
        raise NotBlendedError(msg)
    if spec.prediction_kind == "text" or metric.several_labels:
        msg = "predictions are texts or lists"
        raise NotBlendedError(msg)
    if spec.prediction_kind == "label":
        grades = form.labels.labels
        is_ordered = metric.ordinal and grades and all(map(is_number, grades))
        return ("median",) if is_ordered else ("vote",)
    if metric.name.partition("@")[0] in RANKED:
        return ("rank",)
    if spec.prediction_kind == "probability":
        return "probability", "softmax" if _is_per_class(form) else "logit"
    if metric.integer:
        msg = "predictions are whole numbers, whose mean is none"
        raise NotBlendedError(msg)
    if metric.logarithmic:
        # A percentage may be of a negative value, which has no logarithm.
        return ("log",) if metric.non_negative else ("log", "value")
    return ("value",)


def _is_per_class(form: SubmissionForm) -> bool:
    """Return whether the columns hold the probabilities of classes of which one is right."""
    spec = form.spec
    return spec.problem != "multilabel" and len(spec.prediction_columns) == len(spec.classes) > 1
