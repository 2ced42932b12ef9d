"""What a page shows of a run while it works: facts from its events, and the parts of the page that change."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlestar.errors import one_line
from mlestar.events import Event, RunFacts, Spending
from mlestar.metrics.precision import format_score
from mlestar.progress import EventReader, Running, RunView, Scored, TrackView
from mlestar.progress.view import Problem
from mlestar.report.amounts import dollars, tokens
from mlestar.report.result import Result
from mlestar.store import RunFolder

LINES = 12
"""Lines of what has happened, the last ones. Chosen by judgement."""
PROBLEMS = 5
IMPROVEMENTS = 6
DOTS = 60
"""Scores in the chart, the last ones."""
WIDTH, HEIGHT, MARGIN = 640, 120, 8


@dataclass(frozen=True)
class Clock:
    """A time that counts on: the page shows the seconds since then."""

    since: float
    until: float | None = None
    """None: it still counts."""
    limit: float | None = None

    def seconds(self, now: float) -> float:
        return max(0.0, (now if self.until is None else self.until) - self.since)


@dataclass(frozen=True)
class Work:
    """What runs now."""

    name: str
    detail: str
    clock: Clock
    about: str = ""


@dataclass(frozen=True)
class Track:
    """A track with what runs for it."""

    name: str
    loops: str
    works: tuple[Work, ...]


@dataclass(frozen=True)
class Meter:
    """What was spent of a cap."""

    name: str
    used: str
    cap: str = ""
    share: float | None = None
    """Of the cap; None without one."""


@dataclass(frozen=True)
class Chart:
    """Scores in their order as an SVG: dots, and the line of the best so far."""

    dots: tuple[tuple[float, float, bool], ...]
    """Each with whether it was the best so far."""
    line: str
    low: str
    high: str
    text: str
    """The same in words."""


@dataclass(frozen=True)
class LiveFacts:
    """Where a run stands."""

    run: RunFacts | None
    clock: Clock
    tracks: tuple[Track, ...]
    best: str
    best_of: str
    standing: str
    improvements: tuple[tuple[str, str, str], ...]
    chart: Chart | None
    meters: tuple[Meter, ...]
    failures: int
    problems: tuple[str, ...]
    lines: tuple[tuple[float, str, str], ...]
    """Seconds since the first event, the stage, the message."""
    message: str
    spent: Spending


class Followed:
    """A run whose events are read as they come."""

    def __init__(self, folder: RunFolder) -> None:
        """Take the run, whose file of events need not exist yet."""
        self._reader = EventReader(folder.events)
        self._view = RunView()
        self._lines: deque[Event] = deque(maxlen=LINES)
        self._first = 0.0
        self._lock = threading.Lock()

    def facts(self, result: Result | None, *, is_working: bool) -> LiveFacts:
        """Read what is new and return where the run stands.

        Args:
            result: of the run; when it does not work, it has more exact amounts than the last event.
            is_working: a process works on the run; otherwise nothing of it runs, whatever its last event says.
        """
        with self._lock:
            for event in self._reader.read():
                self._first = self._first or event.time
                self._view.add(event)
                if event.is_line:
                    self._lines.append(event)
            return self._gather(None if is_working else result, is_working)

    def _gather(self, ended: Result | None, is_working: bool) -> LiveFacts:
        view, best = self._view, self._view.best
        shown = list(view.improvements[-IMPROVEMENTS:])
        clock = Clock(0.0, ended.seconds, _limit(view)) if ended else _run_clock(view, is_working)
        spend = Spending.model_validate(ended.spend) if ended else view.spend
        return LiveFacts(
            run=view.run,
            clock=clock,
            tracks=tuple(_tracks(view)) if is_working else (),
            best=format_score(best.score, best.error) if best else "",
            best_of=one_line(f"{best.solution} {best.title}") if best else "",
            standing=one_line(view.standing),
            improvements=tuple(map(_improvement, shown)),
            chart=draw_scores(view.scores[-DOTS:], view.direction) if len(view.scores) > 1 else None,
            meters=tuple(_meters(view.run, spend)),
            failures=view.failures,
            problems=tuple(_problem(problem) for problem in reversed(view.problems[-PROBLEMS:])),
            lines=tuple((e.time - self._first, one_line(e.stage), _line(e)) for e in reversed(self._lines)),
            message=one_line(view.message),
            spent=spend,
        )


def _improvement(step: Scored) -> tuple[str, str, str]:
    return one_line(step.solution), format_score(step.score, step.error), one_line(step.title)


def _run_clock(view: RunView, is_working: bool) -> Clock:
    """Return the active time of the run over all its sessions."""
    earlier = view.run.seconds if view.run else 0.0
    began = view.began or view.last
    ended = view.last if view.status is not None or not is_working else None
    return Clock(began - earlier, ended, _limit(view))


def _limit(view: RunView) -> float | None:
    return view.run.max_hours * 3600 if view.run else None


def _line(event: Event) -> str:
    """Return the message of an event with its track; of a graded script with its solution and score."""
    track = "" if event.track is None else f"t{event.track} "
    if event.verdict is None:
        return one_line(f"{track}{event.message}", 300)
    failed = event.verdict != "ok"
    graded = "" if failed else event.standing or format_score(event.score, event.standard_error)
    reason = event.problem or event.verdict if failed else ""
    parts = (event.solution or track.strip(), graded, event.title or event.message, reason)
    return one_line(", ".join(filter(None, parts)), 300)


def _problem(problem: Problem) -> str:
    where = problem.solution or ("" if problem.track is None else f"t{problem.track}")
    return one_line(f"{where}: {problem.reason}" if where else problem.reason, 300)


def _tracks(view: RunView) -> Iterator[Track]:
    for number, track in view.shown_tracks():
        works = [_work(running) for running in view.running.values() if running.track == number]
        name = "all tracks" if number is None else f"track {number}"
        yield Track(name, track.describe_loops(view.run), tuple(works or [_idle(track, view)]))


def _idle(track: TrackView, view: RunView) -> Work:
    return Work(one_line(track.stage).replace("_", " "), "", Clock(track.since, view.last if view.status else None))


def _work(running: Running) -> Work:
    if running.work != "execution":
        return Work(one_line(running.message), "", Clock(running.since))
    stage = one_line(running.stage).replace("_", " ")
    detail = "" if stage in ("", "execute") else stage
    name = one_line(running.solution or running.message)
    clock = Clock(running.since, limit=running.limit)
    return Work(name, detail, clock, one_line(running.plan or running.title))


def _meters(run: RunFacts | None, spend: Spending) -> Iterator[Meter]:
    yield Meter("model calls", str(spend.model_calls))
    caps = (
        ("tokens", spend.tokens, run.max_tokens if run else None, lambda count: tokens(int(count))),
        ("money", spend.usd, run.max_usd if run else None, dollars),
        ("executions", spend.executions, run.max_executions if run else None, lambda count: str(int(count))),
    )
    for name, used, cap, show in caps:
        share = None if cap is None or used is None or not cap else min(1.0, used / cap)
        yield Meter(name, show(used).removesuffix(" tokens"), "" if cap is None else show(cap), share)


def draw_scores(scores: Sequence[float], direction: str) -> Chart:
    """Return the chart of scores; the better, the higher, whatever the metric's direction."""
    sign = -1.0 if direction == "minimize" else 1.0
    low, high = min(scores), max(scores)
    span = (high - low) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(1, len(scores) - 1)
    best: float | None = None
    dots, line = [], ""
    for place, score in enumerate(scores):
        x = MARGIN + place * step
        y = _height(score, low, span, sign)
        is_best = best is None or sign * score > sign * best
        best = score if best is None or is_best else best
        dots.append((round(x, 1), round(y, 1), is_best))
        # A step: to the right at the best before, then up to the best so far.
        line += f"H{x:.1f}V{_height(best, low, span, sign):.1f}" if line else f"M{x:.1f} {y:.1f}"
    top, bottom = (low, high) if sign < 0 else (high, low)
    shown = ", ".join(format_score(score) for score in scores[-IMPROVEMENTS:])
    text = f"{len(scores)} graded scripts, best {format_score(best)}; the last scores: {shown}"
    return Chart(tuple(dots), line, format_score(bottom), format_score(top), text)


def _height(score: float, low: float, span: float, sign: float) -> float:
    share = (score - low) / span
    return MARGIN + (HEIGHT - 2 * MARGIN) * (share if sign < 0 else 1 - share)
