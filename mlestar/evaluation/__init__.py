"""Withholding rows of train, and grading what scripts submit for them."""

from mlestar.evaluation.grader import Grader, check_submission
from mlestar.evaluation.holdout.choose import Division, divide_rows, fresh_holdouts, keep_apart, search_holdout
from mlestar.evaluation.holdout.holdout import Holdout
from mlestar.evaluation.holdout.plan import Comparison, Grade, SplitKind, SplitPlan
from mlestar.evaluation.holdout.split import infer_split
from mlestar.evaluation.holdout.stage import manifest, stage
from mlestar.evaluation.submission_file import write_submission

__all__ = [
    "Comparison",
    "Division",
    "Grade",
    "Grader",
    "Holdout",
    "SplitKind",
    "SplitPlan",
    "check_submission",
    "divide_rows",
    "fresh_holdouts",
    "infer_split",
    "keep_apart",
    "manifest",
    "search_holdout",
    "stage",
    "write_submission",
]
