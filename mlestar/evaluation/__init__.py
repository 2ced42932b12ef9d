"""The withheld split and the judge."""

from mlestar.evaluation.grader import check_submission, compare, judge
from mlestar.evaluation.holdout.holdout import Rehearsal, fresh_rehearsals, search_rehearsal
from mlestar.evaluation.holdout.plan import Comparison, Judgement, SplitKind, SplitPlan
from mlestar.evaluation.holdout.split import infer_split
from mlestar.evaluation.holdout.stage import manifest, stage

__all__ = [
    "Comparison",
    "Judgement",
    "Rehearsal",
    "SplitKind",
    "SplitPlan",
    "check_submission",
    "compare",
    "fresh_rehearsals",
    "infer_split",
    "judge",
    "manifest",
    "search_rehearsal",
    "stage",
]
