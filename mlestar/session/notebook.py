"""Progress of a blocking call in a notebook: one output that is updated in place, in IPython's kernels only."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

from mlestar import markup
from mlestar.errors import one_line
from mlestar.events import Event
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import better
from mlestar.report.amounts import dollars, tokens
from mlestar.runtime.options import OnEvent

REFRESH = 1.0
"""Seconds between two updates. Chosen by judgement."""
RUN = "run"
"""Name of the line for what belongs to no track."""
Show = Callable[[str, str, bool], None]
"""Shows HTML and the same as text; True where it replaces what was shown before."""


class Following:
    """What is shown of a run: what happens in each track, the best score, how many scripts failed, what was spent."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._lines: dict[str, str] = {}
        self._best: Event | None = None
        self._graded = self._failed = 0
        self._failure = self._spent = self._end = ""

    def __call__(self, event: Event) -> None:
        if event.role:
            return
        with self._lock:
            place = RUN if event.track is None or event.track < 0 else f"track {event.track}"
            self._lines[place] = f"{event.stage}: {event.message}"
            if event.spend is not None:
                self._spent = f"{tokens(event.spend.tokens)}, {dollars(event.spend.usd)}"
            if event.verdict is not None:
                self._count(event)

    def _count(self, event: Event) -> None:
        if event.verdict != "ok":
            self._failed += 1
            self._failure = f"{event.solution or ''} {event.verdict}: {event.message}"
            return
        self._graded += 1
        if event.score is None:
            return
        if self._best is None or better(event.direction or "maximize", event.score, self._best.score):
            self._best = event

    def finish(self, end: str) -> None:
        """Show how the run ended in place of what happens."""
        with self._lock:
            self._end = end
            self._lines = {}

    def facts(self) -> list[tuple[str, str]]:
        """Return what is shown: names and values."""
        with self._lock:
            minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
            facts = [(self._end or "running", f"{minutes}:{seconds:02d}")]
            if self._best is not None:
                score = format_score(self._best.score, self._best.standard_error)
                facts.append(("best", f"{score}  {self._best.solution or ''} {one_line(self._best.message, 80)}"))
            scripts = f"{self._graded} graded, {self._failed} failed"
            facts.append(("scripts", f"{scripts}; {self._spent}" if self._spent else scripts))
            facts += sorted((name, one_line(line, 120)) for name, line in self._lines.items())
            return [*facts, ("last failure", one_line(self._failure, 120))] if self._failure else facts


@contextmanager
def show_in_notebook(
    keywords: Mapping[str, Any], find: Callable[[], Show | None] | None = None
) -> Iterator[dict[str, Any]]:
    """Show progress while a call works, where a notebook's kernel runs and the caller has not set `on_event`.

    Yields the keywords with what receives the events.

    Args:
        keywords: of the call.
        find: finds what shows an output; by default `find_display`.
    """
    show = None if "on_event" in keywords else (find or find_display)()
    if show is None:
        yield dict(keywords)
        return
    following = Following()
    with _shown(following, show):
        try:
            yield {**keywords, "on_event": following}
        except BaseException as error:
            following.finish(f"ended by {type(error).__name__}")
            raise
        following.finish("ended")


@contextmanager
def _shown(following: Following, show: Show) -> Iterator[OnEvent]:
    """Update the output once a second, and at the end."""
    ended = threading.Event()

    def draw(is_update: bool) -> None:
        facts = following.facts()
        text = "\n".join(f"{name:12} {value}" for name, value in facts)
        with suppress(Exception):  # a kernel that is shutting down; the result of a run must not be lost to it
            show(markup.block(markup.table(facts)), text, is_update)

    def refresh() -> None:
        while not ended.wait(REFRESH):
            draw(True)

    draw(False)
    thread = threading.Thread(target=refresh, daemon=True, name="mlestar-notebook")
    thread.start()
    try:
        yield following
    finally:
        ended.set()
        thread.join()
        draw(True)


def find_display() -> Show | None:
    """Return what shows an output in the notebook of this process; None where no kernel runs."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    # Nothing of this package depends on it; it is there where a kernel runs.
    display = import_module("IPython.display")
    name = f"mlestar-{uuid4().hex}"

    def show(html: str, text: str, is_update: bool) -> None:
        bundle = {"text/html": html, "text/plain": text}
        (display.update_display if is_update else display.display)(bundle, display_id=name, raw=True)

    return show
