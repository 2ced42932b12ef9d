"""Grading by MLE-bench's own code, where the package `mlebench` is installed beside this one.

It executes in a process of its own: importing it configures logging, and a grader of a competition can fail in any
way.
"""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlestar.bench.mlebench.grading import CompetitionAnswers
from mlestar.bench.mlebench.medals import THRESHOLDS, Thresholds
from mlestar.bench.rows import Graded, Standing
from mlestar.metrics.spec import Direction

_SECONDS = 600.0
"""Time limit of grading. Chosen by judgement; not measured."""
_CHILD = Path(__file__).with_name("official_child.py")
_MISSING = "no-submission.csv"
"""The report on a file that does not exist has the thresholds and no score."""


@dataclass
class OfficialAnswers:
    """A competition that MLE-bench's own code grades."""

    folder: Path
    """Of the prepared competition; its name is the id."""
    thresholds: Thresholds
    own: CompetitionAnswers | None = None
    """Our grading of the same competition, for the standard error, which MLE-bench does not give."""

    metric: str = field(init=False)
    direction: Direction = field(init=False)

    def __post_init__(self) -> None:
        self.metric = "score" if self.own is None else self.own.metric
        self.direction = self.thresholds.direction

    def standing(self, score: float) -> Standing | None:
        return self.thresholds.standing(score)

    def grade(self, submission: Path) -> Graded:
        """Grade a submission. The standard error is ours, where our score is the same."""
        report = run_official(self.folder, submission)
        if report is None:
            return Graded(problem="MLE-bench's grader failed")
        score, ours = report["score"], None if self.own is None else self.own.grade(submission)
        if score is None:
            # Its report has no reason; ours may be the same one.
            return Graded(problem=(ours.problem if ours is not None else "") or "MLE-bench's grader rejected it")
        if ours is not None and ours.score == score:
            return ours
        return Graded(score=score)


def official_answers(folder: Path, own: CompetitionAnswers | None) -> OfficialAnswers | None:
    """Return MLE-bench's own grading of a prepared competition; None where it is not installed or does not know it."""
    if importlib.util.find_spec("mlebench") is None:
        return None
    report = run_official(folder, folder / _MISSING)
    if report is None:
        return None
    scores = {name: float(report[f"{name}_threshold"]) for name in THRESHOLDS}
    thresholds = Thresholds(scores, "minimize" if report["is_lower_better"] else "maximize", report["teams"])
    known = own if own is None or own.direction == thresholds.direction else None
    return OfficialAnswers(folder, thresholds, known and replace(known, thresholds=thresholds))


def run_official(folder: Path, submission: Path) -> dict[str, Any] | None:
    """Return MLE-bench's report on a submission, with the number of `teams`; None where it fails."""
    # `-P`: the folder of the program is no place to import from.
    command = [sys.executable, "-P", str(_CHILD), str(folder.resolve()), str(submission.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
        report = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return report if isinstance(report, dict) else None
