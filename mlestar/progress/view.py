"""Where a run stands, by its events: what runs now, the best score, what was spent, what failed."""

from collections.abc import Iterable
from dataclasses import dataclass

from mlestar.events import Event, RunFacts, Spending, Work
from mlestar.metrics.spec import better
from mlestar.state import RunStatus

MAX_PROBLEMS = 50
"""Problems that are kept, the last ones."""


@dataclass(frozen=True)
class Running:
    """Work that has begun and not ended."""

    work: Work
    stage: str
    message: str
    track: int | None
    role: str
    solution: str
    title: str
    plan: str
    limit: float | None
    since: float


@dataclass
class TrackView:
    """Where a track stands; without a number, what belongs to none."""

    stage: str = ""
    """The last thing that it told of."""
    since: float = 0.0
    outer: int | None = None
    inner: int | None = None
    plan: str = ""

    def describe_loops(self, run: RunFacts | None) -> str:
        """Return the loop counters, empty outside of the loops."""
        if self.outer is None:
            return ""
        text = f"block {self.outer}" + (f" of {run.outer_steps}" if run else "")
        if self.inner is not None:
            text += f", plan {self.inner}" + (f" of {run.inner_plans}" if run else "")
        return text


@dataclass(frozen=True)
class Scored:
    """A solution that is better than all before it."""

    solution: str
    title: str
    score: float
    error: float | None


@dataclass(frozen=True)
class Problem:
    """Something that failed."""

    solution: str
    track: int | None
    reason: str


class RunView:
    """Where a run stands after the events that were added."""

    def __init__(self) -> None:
        self.run: RunFacts | None = None
        self.status: RunStatus | None = None
        """How the last session ended; None while one works."""
        self.message = ""
        """Of the end."""
        self.tracks: dict[int | None, TrackView] = {}
        self.running: dict[str, Running] = {}
        """By the id of the work, oldest first."""
        self.scores: list[float] = []
        """Of every graded script, in their order."""
        self.improvements: list[Scored] = []
        self.standing = ""
        """What is shown in place of scores that are not, of the last solution that is better than the best before."""
        self.direction = ""
        self.problems: list[Problem] = []
        self.graded = self.failures = 0
        """Scripts that were graded, and that have failed for good."""
        self.spend = Spending()
        self.began = 0.0
        """Time at which the last session began."""
        self.last = 0.0
        """Time of the last event."""

    def add(self, event: Event) -> None:
        """Take an event into account."""
        self.last = max(self.last, event.time)
        if event.spend is not None:
            self.spend = event.spend
        if event.work == "run":
            self._change_session(event)
            return
        if not self.began:
            self.began = event.time
        self._place(event)
        if event.work_id and event.phase == "begin":
            self.running[event.work_id] = _running(event)
        elif event.work_id:
            self.running.pop(event.work_id, None)
        if event.problem:
            self.problems = [*self.problems, Problem(event.solution or "", event.track, event.problem)][-MAX_PROBLEMS:]
        if event.verdict is not None:
            self._add_verdict(event)

    def add_all(self, events: Iterable[Event]) -> None:
        """Take events into account."""
        for event in events:
            self.add(event)

    def active_seconds(self, now: float) -> float:
        """Return the active time of the run over all its sessions."""
        earlier = self.run.seconds if self.run else 0.0
        end = self.last if self.status is not None else now
        return earlier + max(0.0, end - self.began) if self.began else earlier

    @property
    def best(self) -> Scored | None:
        """The best solution on the rows withheld during the search."""
        return self.improvements[-1] if self.improvements else None

    def shown_tracks(self) -> list[tuple[int | None, TrackView]]:
        """Return the tracks that something runs for, and the others until something else was told later."""
        busy = {running.track for running in self.running.values()}
        latest = max(self.tracks.values(), key=lambda track: track.since, default=None)
        without = self.tracks.get(None)
        over = without is not None and all(track.since <= without.since for track in self.tracks.values())
        shown = [
            (name, track)
            for name, track in self.tracks.items()
            if name in busy or (track is latest and not busy) or (name is not None and not over)
        ]
        return sorted(shown, key=lambda pair: (pair[0] is None, pair[0] or 0))

    def _change_session(self, event: Event) -> None:
        """Begin or end a session: nothing of an earlier one runs any more."""
        self.running.clear()
        if event.phase == "begin":
            self.run = event.run or self.run
            self.status, self.message, self.began = None, "", event.time
            for track in self.tracks.values():
                track.since = event.time
        else:
            self.status, self.message = event.status or "failed", event.message

    def _place(self, event: Event) -> None:
        """Note the stage and the counters of the track that an event is about."""
        track = self.tracks.setdefault(event.track, TrackView())
        if event.work is None or event.phase == "begin":
            track.stage, track.since = event.stage, event.time
        if event.outer is not None:
            track.outer, track.inner, track.plan = event.outer, event.inner, event.plan

    def _add_verdict(self, event: Event) -> None:
        if event.verdict == "ok":
            self.graded += 1
        else:
            self.failures += 1
        if event.standing:
            if not event.standing.startswith("not"):
                self.standing = f"{event.solution or ''} {event.standing} before it".strip()
            return
        if event.score is None or event.direction is None:
            return
        self.direction = event.direction
        self.scores.append(event.score)
        if better(event.direction, event.score, self.best.score if self.best else None):
            self.standing = ""
            scored = Scored(event.solution or "", event.title or event.message, event.score, event.standard_error)
            self.improvements.append(scored)


def _running(event: Event) -> Running:
    return Running(
        work=event.work or "step",
        stage=event.stage,
        message=event.message,
        track=event.track,
        role=event.role or "",
        solution=event.solution or "",
        title=event.title,
        plan=event.plan,
        limit=event.limit,
        since=event.time,
    )
