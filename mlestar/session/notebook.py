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
from mlestar.progress import RunView
from mlestar.report.amounts import dollars, duration, tokens
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
        self._began = time.time()
        self._lock = threading.Lock()
        self._view = RunView()
        self._lines: dict[str, str] = {}
        self._end = ""

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._view.add(event)
            if not event.role:
                place = RUN if event.track is None or event.track < 0 else f"track {event.track}"
                self._lines[place] = f"{event.stage}: {event.message}"

    def finish(self, end: str) -> None:
        """Show how the run ended in place of what happens."""
        with self._lock:
            self._end = end
            self._lines = {}

    def facts(self) -> list[tuple[str, str]]:
        """Return what is shown: names and values."""
        with self._lock:
            view = self._view
            facts = [(self._end or "running", duration(time.time() - self._began))]
            if view.best is not None:
                score = format_score(view.best.score, view.best.error)
                facts.append(("best", f"{score}  {view.best.solution} {one_line(view.best.title, 80)}"))
            spent = f"{tokens(view.spend.tokens)}, {dollars(view.spend.usd)}"
            facts.append(("scripts", f"{view.graded} graded, {view.failures} failed; {spent}"))
            facts += sorted((name, one_line(line)) for name, line in self._lines.items())
            if view.problems:
                last = view.problems[-1]
                facts.append(("last failure", one_line(f"{last.solution} {last.reason}")))
            return facts


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
