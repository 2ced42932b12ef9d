"""The withheld split and the judge."""

from mlestar.rehearsal.holdout import Rehearsal, fresh_rehearsals, search_rehearsal
from mlestar.rehearsal.judge import check_submission, compare, judge
from mlestar.rehearsal.plan import Comparison, Judgement, SplitKind, SplitPlan
from mlestar.rehearsal.split import infer_split
from mlestar.rehearsal.stage import manifest, stage

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
