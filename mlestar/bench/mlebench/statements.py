"""What belongs to numbers of MLE-bench wherever they are shown, and how many medals a tool has."""

from collections.abc import Sequence

import numpy as np

from mlestar.bench.mlebench.official import OfficialAnswers
from mlestar.bench.mlebench.reports import thresholds_of
from mlestar.bench.rows import Bench, BenchRow, Conditions
from mlestar.bench.suite import SuiteTask

TEST_DERIVED = (
    "Test-derived signals: none. No tool was given answers, scores, medals or leaderboards of these tasks, and"
    " submissions were graded after their tools had ended. Tools read the test rows without labels, as competitors do."
)
OTHER_TEST_SET = (
    "Medals compare a score on MLE-bench's own test rows with the private leaderboard of Kaggle, which was made on"
    " other rows."
)
USUAL = "MLE-bench's own setting is 24 hours, 36 cores, 440 GB and a GPU with 24 GB, and at least 3 seeds"
_LEADERBOARD_SEEDS = 3
"""At least so many seeds are asked for in MLE-bench's README."""


def statements(bench: Bench, tasks: Sequence[SuiteTask]) -> tuple[str, ...]:
    """Return the lines that belong to every table of a benchmark with competitions; none without any."""
    competitions = [task for task in tasks if thresholds_of(task) is not None]
    if not competitions:
        return ()
    ids = {task.id for task in competitions}
    rows = [row for row in bench.rows if row.task in ids]
    return (
        TEST_DERIVED,
        OTHER_TEST_SET,
        _grader(competitions),
        _conditions(bench.conditions, rows, len(competitions)),
        *(f"Known flaw of {task.id}: {flaw}" for task in competitions for flaw in task.flaws),
    )


def _grader(tasks: Sequence[SuiteTask]) -> str:
    official = sum(isinstance(task.answers, OfficialAnswers) for task in tasks)
    if official == len(tasks):
        return "Graded by MLE-bench's own code."
    if official == 0:
        return "Graded by mlestar by the rules of MLE-bench; its own code is not installed here."
    return f"{official} of {len(tasks)} competitions were graded by MLE-bench's own code, the others by mlestar."


def _conditions(conditions: Conditions, rows: Sequence[BenchRow], competitions: int) -> str:
    longest = max((row.seconds for row in rows), default=0.0) / 3600
    limit = "" if conditions.minutes is None else f", at most {conditions.minutes / 60:.3g} hours for each tool"
    seeds = len(conditions.seeds)
    parts = [
        f"Model {conditions.model or 'unknown'}, profile {conditions.profile or 'unknown'}{limit}",
        f"the longest run took {longest:.3g} hours",
        f"{conditions.cpus} cores and {conditions.memory_mb / 1024:.3g} GB ({conditions.machine or 'machine unknown'})",
        f"{seeds} {'seed' if seeds == 1 else 'seeds'} on {competitions} competitions",
    ]
    return f"{'; '.join(parts)}. {USUAL}: scores under other conditions cannot be compared with its leaderboard."


def medal_lines(bench: Bench, tasks: Sequence[SuiteTask]) -> tuple[str, ...]:
    """Return for each tool how many of its rows on competitions have a medal, as a share with its standard error."""
    ids = {task.id for task in tasks if thresholds_of(task) is not None}
    tools = dict.fromkeys(row.tool for row in bench.rows if row.task in ids)
    return tuple(_medals(tool, [row for row in bench.rows if row.task in ids and row.tool == tool]) for tool in tools)


def _medals(tool: str, rows: Sequence[BenchRow]) -> str:
    standings = [row.standing for row in rows if row.status == "graded" and row.standing is not None]
    medals = [standing.medal for standing in standings if standing.medal is not None]
    kinds = ", ".join(f"{medals.count(medal)} {medal}" for medal in dict.fromkeys(sorted(medals, key=_place)))
    above = sum(standing.above_median for standing in standings)
    return (
        f"{tool}: a medal in {len(medals)} of {len(rows)} runs{f' ({kinds})' if kinds else ''}{_share(rows)}; "
        f"above the median in {above}, valid in {len(standings)}"
    )


def _place(medal: str) -> int:
    return ("gold", "silver", "bronze").index(medal)


def _share(rows: Sequence[BenchRow]) -> str:
    """Return the share of competitions with a medal, the mean over seeds with its standard error, from 3 seeds on."""
    seeds = sorted({row.seed for row in rows})
    if len(seeds) < _LEADERBOARD_SEEDS:
        return ""
    shares = [100 * np.mean([_has_medal(row) for row in rows if row.seed == seed]) for seed in seeds]
    return f", {np.mean(shares):.1f} ± {np.std(shares, ddof=1) / len(shares) ** 0.5:.1f} % over {len(seeds)} seeds"


def _has_medal(row: BenchRow) -> bool:
    return row.status == "graded" and row.standing is not None and row.standing.medal is not None
