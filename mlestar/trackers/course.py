"""What trackers know of a run: its events, its settings and, where it has one, its result."""

from dataclasses import dataclass

from mlestar.errors import UserError
from mlestar.events import Event, Spending
from mlestar.metrics.precision import round_score
from mlestar.metrics.spec import better
from mlestar.progress import EventReader
from mlestar.report import Result, read_result
from mlestar.report.result import SolutionRow
from mlestar.state import RunStatus
from mlestar.store import RunFolder
from mlestar.store.folder import RunSettings


@dataclass(frozen=True)
class Evaluation:
    """A solution that was graded, by its event or, where the file of events has none, by its row of the result."""

    solution: str
    began: float
    """Seconds since 1970."""
    ended: float
    origin: str
    track: int | None
    title: str
    plan: str
    status: str
    script: str | None
    """Its blob."""
    score: float | None
    """As precise as it may be shown."""
    standing: str | None
    standard_error: float | None
    reported: float | None
    seconds: float | None


@dataclass(frozen=True)
class Point:
    """Where a run stood after a number of executions."""

    executions: int
    time: float
    spend: Spending
    best: float | None


class Course:
    """A run as its folder shows it; `read` adds what is new."""

    def __init__(self, folder: RunFolder) -> None:
        """Take a run.

        Raises:
            UserError: there is no such run, or another version made it.
        """
        self.folder = folder
        self.recorded: RunSettings = folder.read_settings()
        self.events: list[Event] = []
        self.evaluations: dict[str, Evaluation] = {}
        """By the id of the solution."""
        self.points: dict[int, Point] = {}
        """By the number of executions; the last one of each number."""
        self.status: RunStatus | None = None
        """How the last session ended; None while one works."""
        self.result: Result | None = None
        """After `finish`."""
        self._reader = EventReader(folder.events)
        self._begun: dict[str, Event] = {}
        """By the id of a solution, the event with which its execution began."""
        self._best: float | None = None
        self._ended = 0.0
        """When a session ended; its trackers tell of themselves later."""

    @property
    def began(self) -> float:
        return self.events[0].time if self.events else self.folder.settings.stat().st_mtime

    @property
    def last(self) -> float:
        """When the last session ended, or the time of the last event of one that goes on or was killed."""
        if self.status is not None and self._ended:
            return self._ended
        return self.events[-1].time if self.events else self.began

    def read(self) -> bool:
        """Add the events since the last time; return whether there were any."""
        new = list(self._reader.read())
        for event in new:
            self._add(event)
        return bool(new)

    def finish(self) -> None:
        """Add the rest of the events and the result, where there is one that can be read."""
        self.read()
        try:
            self.result = read_result(self.folder, check=False)
        except UserError:
            return
        for row in self.result.solutions:
            if row.id not in self.evaluations:
                self.evaluations[row.id] = _from_row(row, self.last)
        if not self.events:
            self.status = self.result.status

    def script(self, evaluation: Evaluation) -> str | None:
        """Return the script that was graded; None where the run folder has none any more."""
        if not evaluation.script:
            return None
        try:
            return self.folder.read_own_text(self.folder.blobs / evaluation.script[:2] / evaluation.script[2:])
        except (UserError, OSError, UnicodeDecodeError):
            return None

    def _add(self, event: Event) -> None:
        self.events.append(event)
        if event.work == "run":
            self.status = None if event.phase == "begin" else event.status or "failed"
            self._ended = event.time
        if event.work == "execution" and event.phase == "begin" and event.solution:
            self._begun.setdefault(event.solution, event)
        if event.verdict is not None and event.solution:
            self._add_verdict(event.solution, event)
        if event.spend is not None:
            spend = event.spend
            self.points[spend.executions] = Point(spend.executions, event.time, spend, self._best)

    def _add_verdict(self, solution: str, event: Event) -> None:
        begun = self._begun.get(solution)
        self.evaluations[solution] = Evaluation(
            solution=solution,
            began=begun.time if begun else event.time - (event.seconds or 0.0),
            ended=event.time,
            origin=event.stage,
            track=event.track,
            title=event.title,
            plan=begun.plan if begun else "",
            status=event.verdict or "",
            script=event.script,
            score=event.score,
            standing=event.standing,
            standard_error=event.standard_error,
            reported=event.reported,
            seconds=event.seconds,
        )
        if event.score is not None and event.direction and better(event.direction, event.score, self._best):
            self._best = event.score


def _from_row(row: SolutionRow, time: float) -> Evaluation:
    parts = (row.script or "").split("/")
    return Evaluation(
        solution=row.id,
        began=time - row.seconds,
        ended=time,
        origin=row.origin,
        track=row.track if row.track >= 0 else None,
        title=row.title,
        plan=row.plan,
        status=row.status,
        script="".join(parts[-2:]) or None,
        score=None if row.standing else round_score(row.score.holdout, row.score.holdout_se),
        standing=row.standing,
        standard_error=None if row.standing else round_score(row.score.holdout_se, row.score.holdout_se),
        reported=row.score.reported,
        seconds=row.seconds,
    )
