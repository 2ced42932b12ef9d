"""Files in the formats of MLE-bench: the list of submissions that `mlebench grade` reads, and its grading report."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from mlestar.bench.mlebench.medals import Thresholds
from mlestar.bench.mlebench.tables import is_submission
from mlestar.bench.rows import Bench, BenchRow
from mlestar.bench.suite import SuiteTask

FOLDER = "mlebench"
SUBMISSIONS, REPORT = "submission.jsonl", "grading_report.json"
"""Names as in its folder of runs, where a report is found by `grading_report` in its name."""


class CompetitionReport(BaseModel):
    """One submission, with the fields of MLE-bench's report and in their order."""

    competition_id: str
    score: float | None
    gold_threshold: float
    silver_threshold: float
    bronze_threshold: float
    median_threshold: float
    any_medal: bool
    gold_medal: bool
    silver_medal: bool
    bronze_medal: bool
    above_median: bool
    submission_exists: bool
    valid_submission: bool
    is_lower_better: bool
    created_at: str
    """ISO 8601."""
    submission_path: str


def competition_report(
    row: BenchRow, thresholds: Thresholds, submission: Path | None, made: datetime
) -> CompetitionReport:
    """Return the report on one row.

    Args:
        row: a tool on a competition.
        thresholds: of the competition.
        submission: the file, if there is one.
        made: when the report is made.
    """
    score = row.graded.score if row.status == "graded" else None
    standing = None if score is None else thresholds.standing(score)
    medal = None if standing is None else standing.medal
    return CompetitionReport(
        competition_id=row.task,
        score=score,
        **{f"{name}_threshold": value for name, value in thresholds.scores.items()},
        any_medal=medal is not None,
        gold_medal=medal == "gold",
        silver_medal=medal == "silver",
        bronze_medal=medal == "bronze",
        above_median=standing is not None and standing.above_median,
        submission_exists=submission is not None and is_submission(submission),
        valid_submission=score is not None,
        is_lower_better=thresholds.direction == "minimize",
        created_at=made.isoformat(),
        submission_path=str(submission),
    )


def summarize(reports: Sequence[CompetitionReport]) -> dict[str, object]:
    """Return MLE-bench's report on several submissions: how many of them got what, and the report on each."""
    return {
        "total_runs": len(reports),
        "total_runs_with_submissions": sum(report.submission_exists for report in reports),
        "total_valid_submissions": sum(report.valid_submission for report in reports),
        "total_medals": sum(report.any_medal for report in reports),
        "total_gold_medals": sum(report.gold_medal for report in reports),
        "total_silver_medals": sum(report.silver_medal for report in reports),
        "total_bronze_medals": sum(report.bronze_medal for report in reports),
        "total_above_median": sum(report.above_median for report in reports),
        "competition_reports": [report.model_dump() for report in reports],
    }


def write_reports(
    bench: Bench, tasks: Sequence[SuiteTask], folder: Path, made: datetime | None = None
) -> tuple[Path, ...]:
    """Write `mlebench/TOOL-SEED/submission.jsonl` and `grading_report.json` into the folder of a benchmark.

    Args:
        bench: its rows. Those of tasks without thresholds are left out.
        tasks: of the suite.
        folder: of the benchmark; paths of submissions are relative to it.
        made: when the reports are made; now by default.

    Returns:
        The folders that were written; none where no task has thresholds.
    """
    thresholds = {task.id: found for task in tasks if (found := thresholds_of(task)) is not None}
    groups: dict[str, list[BenchRow]] = {}
    for row in bench.rows:
        if row.task in thresholds:
            groups.setdefault(f"{row.tool}-{row.seed}", []).append(row)
    return tuple(
        _write_group(folder, name, rows, thresholds, made or datetime.now()) for name, rows in sorted(groups.items())
    )


def thresholds_of(task: SuiteTask) -> Thresholds | None:
    """Return the thresholds of a task's leaderboard."""
    found = getattr(task.answers, "thresholds", None)
    return found if isinstance(found, Thresholds) else None


def _write_group(
    folder: Path, name: str, rows: Sequence[BenchRow], thresholds: dict[str, Thresholds], made: datetime
) -> Path:
    target = folder / FOLDER / name
    target.mkdir(parents=True, exist_ok=True)
    files = {row.task: _absolute(folder, row.submission) for row in rows}
    lines = [json.dumps(_line(row, files[row.task], folder)) for row in rows]
    (target / SUBMISSIONS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    reports = [competition_report(row, thresholds[row.task], files[row.task], made) for row in rows]
    (target / REPORT).write_text(json.dumps(summarize(reports), indent=2) + "\n", encoding="utf-8")
    return target


def _line(row: BenchRow, submission: Path | None, folder: Path) -> dict[str, str | None]:
    """Return a line of the list of submissions."""
    run = _absolute(folder, row.run)
    return {
        "competition_id": row.task,
        "submission_path": None if submission is None else str(submission),
        "logs_path": None if run is None else str(run),
        "code_path": None if run is None or not (run / "solution.py").is_file() else str(run / "solution.py"),
    }


def _absolute(folder: Path, path: str | None) -> Path | None:
    return None if path is None else (folder / path).resolve()
