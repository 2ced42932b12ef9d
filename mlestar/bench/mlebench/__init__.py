"""MLE-bench (arXiv 2410.07095): its prepared competitions, its rules of grading and medals, its reports.

`competitions` finds tasks, `medals` has the rule of the leaderboard, `grading` grades by the rules alone, `official`
grades by MLE-bench's own code where that is installed, `reports` writes files for its tools, `statements` has the lines
that belong to the numbers.
"""

from mlestar.bench.mlebench.competitions import (
    Competitions,
    competition_answers,
    find_competitions,
    is_competition,
    read_competition,
    read_flaws,
)
from mlestar.bench.mlebench.grading import CompetitionAnswers
from mlestar.bench.mlebench.medals import Thresholds
from mlestar.bench.mlebench.official import OfficialAnswers
from mlestar.bench.mlebench.reports import write_reports
from mlestar.bench.mlebench.rules import metric_name
from mlestar.bench.mlebench.statements import medal_lines, statements

__all__ = [
    "CompetitionAnswers",
    "Competitions",
    "OfficialAnswers",
    "Thresholds",
    "competition_answers",
    "find_competitions",
    "is_competition",
    "medal_lines",
    "metric_name",
    "read_competition",
    "read_flaws",
    "statements",
    "write_reports",
]
