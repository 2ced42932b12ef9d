"""This package as a tool: each task is a run in a process of its own, so that a crash does not end the benchmark."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.bench.logs import last_line
from mlestar.bench.rows import OWN, RowStatus, Stage, StageRow
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.bench.watched import Ended, run_watched
from mlestar.errors import UserError, first_line
from mlestar.metrics.spec import better
from mlestar.report import Result
from mlestar.report.result import SolutionRow

RUN = "run"
"""Id of the run in the folder of a task, tool and seed."""
OUTPUT, LOG = "result.out", "log.txt"
OVERTIME, GRACE = 600.0, 120.0
"""Seconds beyond its own limit after which a run is stopped, and seconds after that until it is killed. A run should
end by itself before. Chosen by judgement; not measured."""
_STAGES: Mapping[Stage, tuple[str, ...]] = {
    "initial": ("candidate",),
    "merged": ("merge", "usage"),
    "refined": ("refinement",),
    "ensemble": ("ensemble",),
    "blend": ("ensemble",),
}
"""The origins of the solutions that each stage adds; a blend of predictions is an ensemble with members."""
_NAMED = 3
"""How many of the steps that a cap stopped are named. Chosen by judgement; not measured."""
_WHOLE = ".whole"
"""Suffix of the id of a solution whose subsampling was removed."""


@dataclass
class OwnTool:
    """Runs of `mlestar run`; a run that was interrupted is resumed."""

    options: Sequence[str]
    """Options of the command line, besides task, run and seed."""
    max_hours: float | None
    """The run's own limit."""
    name: str = OWN
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of its runs, where they are not the defaults."""

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        """Run a task to its end, from where an earlier call was interrupted."""
        limit = None if self.max_hours is None else 3600 * self.max_hours + OVERTIME
        ended = run_watched(
            self.command(task, seed, folder),
            output=folder / OUTPUT,
            log=folder / LOG,
            seconds=limit,
            grace=GRACE,
        )
        return _read_outcome(ended, folder)

    def command(self, task: SuiteTask, seed: int, folder: Path) -> list[str]:
        """Return the command of a run; what it sets itself comes last, and precedes the same settings of the user.

        It has no lessons: runs on one task would learn from each other. It has a start only where an option names one:
        that of a settings file or the environment is for a task of its own.
        """
        command = [sys.executable, "-m", "mlestar", "run", str(task.folder), *self.options]
        own = [f"runs_dir={folder}", f"seed={seed}", "lessons="]
        if not any(option == "--start" or option.startswith(("start=", "--start=")) for option in self.options):
            own.append("start=")
        return [*command, "--run-id", RUN, *(part for value in own for part in ("--set", value))]


def _read_outcome(ended: Ended, folder: Path) -> Outcome:
    result = _read_result(folder)
    if result is None:
        status: RowStatus = "timeout" if ended.timed_out else "failed"
        return Outcome(status, seconds=0.0, reason=_explain(ended, folder))
    submission = None if result.submission is None else Path(result.submission)
    message = result.summary.message
    reason = first_line(message) if message else describe_caps(result)
    if submission is not None and submission.is_file():
        status = "graded"
    elif ended.timed_out:
        status, reason = "timeout", "the run did not end in time"
    else:
        status = "no_solution" if result.status == "no_solution" else "failed"
        reason = reason or _explain_without_submission(result)
    return Outcome(status, result.seconds, reason, submission, result)


def _read_result(folder: Path) -> Result | None:
    path = folder / RUN / "result.json"
    if not path.is_file():
        return None
    try:
        return Result.read(path).moved_to(folder / RUN)
    except UserError:
        return None


def _explain(ended: Ended, folder: Path) -> str:
    """Return why a run left no result: the last line that it printed, and how it ended."""
    if ended.timed_out:
        return "the run did not end in time"
    last = last_line(folder / LOG).removeprefix("mlestar: ")
    how = f"killed by signal {-ended.status}" if ended.status < 0 else f"exit status {ended.status}"
    return f"{last} ({how})" if last else how


def describe_caps(result: Result) -> str:
    """Return what the caps of a run left out; empty where they left out nothing."""
    return "; ".join(f"{row.cap} ({row.limit:g}) stopped {_some(row.stopped)}" for row in result.caps)


def _some(labels: Sequence[str]) -> str:
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _explain_without_submission(result: Result) -> str:
    failed = [row for row in result.solutions if row.status != "ok"]
    if result.exports:
        return first_line(f"no export succeeded: {result.exports[-1].message}")
    if failed:
        return first_line(f"no script succeeded; the last: {failed[-1].status}: {failed[-1].message}")
    return f"the run is {result.status}"


def is_winner_exported(result: Result) -> bool | None:
    """Return whether the submission is that of the solution that was chosen; None without a submission."""
    if result.submission is None:
        return None
    if not result.exports:  # the run was stopped before one was chosen
        return False
    return result.exports[0].solution.removesuffix(_WHOLE) == (result.winner or "").removesuffix(_WHOLE)


def stage_rows(result: Result) -> tuple[StageRow, ...]:
    """Return the best solution when each stage ended; a stage that wrote no script with a score is left out."""
    rows: list[StageRow] = []
    best: SolutionRow | None = None
    for stage, origins in _STAGES.items():
        written = [row for row in result.solutions if row.origin in origins and row.status == "ok"]
        added = [row for row in written if bool(row.members) is (stage == "blend")]
        for row in added:
            if best is None or better(result.direction, _score(row), _score(best)):
                best = row
        if added and best is not None:
            rows.append(_stage_row(stage, best))
    winner = result.winner_row
    if winner is not None:
        rows.append(_stage_row("final", winner))
    return tuple(rows)


def _score(row: SolutionRow) -> float | None:
    return row.score.holdout if row.score.holdout is not None else row.score.reported


def _stage_row(stage: Stage, row: SolutionRow) -> StageRow:
    score = row.score
    return StageRow(
        stage=stage,
        solution=row.id,
        holdout=score.holdout,
        holdout_se=score.holdout_se,
        fresh=score.fresh,
        fresh_se=score.fresh_se,
    )
