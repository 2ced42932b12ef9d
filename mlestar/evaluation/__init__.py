"""Withholding rows of train, and grading what scripts submit for them."""

from mlestar.evaluation.grader import check_submission, compare_submissions, grade_submission
from mlestar.evaluation.holdout.holdout import Holdout, fresh_holdouts, search_holdout
from mlestar.evaluation.holdout.plan import Comparison, Grade, SplitKind, SplitPlan
from mlestar.evaluation.holdout.split import infer_split
from mlestar.evaluation.holdout.stage import manifest, stage

__all__ = [
    "Comparison",
    "Grade",
    "Holdout",
    "SplitKind",
    "SplitPlan",
    "check_submission",
    "compare_submissions",
    "fresh_holdouts",
    "grade_submission",
    "infer_split",
    "manifest",
    "search_holdout",
    "stage",
]
