"""Progress events from below the nodes, where no `runtime` is at hand."""

import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langgraph.config import get_config, get_stream_writer

from mlestar.events import Event
from mlestar.state import Draft, Solution

PLAN_CHARACTERS = 200
"""Characters of a plan in an event: two lines of a terminal. Chosen by judgement."""


@dataclass(frozen=True)
class Subject:
    """What a script is executed for."""

    solution: str
    track: int | None = None
    title: str = ""
    plan: str = ""

    @classmethod
    def of(cls, script: Draft | Solution) -> "Subject":
        """Return the subject of a draft's or a solution's script."""
        track = script.track if script.track >= 0 else None
        return cls(solution=script.id, track=track, title=script.title, plan=script.plan)


def emit_line(stage: str, line: str) -> None:
    """Stream one line of progress; outside a graph nobody receives it."""
    emit_event(Event(stage=stage, message=line))


def emit_event(event: Event) -> bool:
    """Stream an event, and return whether there is a stream: outside a graph nobody receives it.

    An event without a stage gets the node that is running.
    """
    try:
        write = get_stream_writer()
        named = event if event.stage else event.model_copy(update={"stage": _node()})
    except (RuntimeError, KeyError):
        return False
    write(named)
    return True


def _node() -> str:
    return str(get_config()["metadata"]["langgraph_node"])


@contextmanager
def announce(begin: Event, emit: Callable[[Event], object] = emit_event) -> Iterator[dict[str, Any]]:
    """Emit that work begins, and later that it has ended.

    What is put into the yielded dictionary becomes part of the second event.

    Args:
        begin: names the work and describes it.
        emit: receives both events.
    """
    started, end = time.monotonic(), dict[str, Any]()
    begin = begin.model_copy(update={"phase": "begin", "work_id": uuid.uuid4().hex[:12]})
    emit(begin)
    outcome = "done"
    try:
        yield end
    except BaseException as error:
        outcome = "failed" if isinstance(error, Exception) else "stopped"
        raise
    finally:
        known = begin.model_dump(exclude={"time", "limit", "message", "spend"})
        ending = {"message": f"{begin.message}: ended", "seconds": time.monotonic() - started, "outcome": outcome}
        emit(Event.model_validate({**known, **ending, **end, "phase": "end"}))


def few_words(plan: str) -> str:
    """Return the beginning of a plan on one line."""
    return textwrap.shorten(plan, PLAN_CHARACTERS, placeholder=" …")
