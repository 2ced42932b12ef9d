"""Following a run for a tracker, which may be away or slow: what it does not take is sent later."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mlestar.errors import first_line, mask_secrets
from mlestar.trackers.course import Course

LAST_TRIES = 2
"""Times that the rest is sent once the run has ended."""
_PROBLEM_CHARACTERS = 200


@dataclass(frozen=True)
class Pauses:
    """Seconds between two looks at the run, and before what was not taken is sent again. Chosen by judgement."""

    look: float = 1.0
    first: float = 5.0
    """Doubled each time."""
    longest: float = 60.0
    at_end: float = 1.0


DEFAULT_PAUSES = Pauses()
Note = Callable[[str], None]


class Tracker(Protocol):
    """Where a run is sent."""

    title: str
    """Its name and its address."""

    def send(self) -> None:
        """Send what is new of a run that goes on; it may raise any exception, and is called again."""

    def finish(self) -> None:
        """Send the rest of a run that has ended; it may raise any exception, and is called again."""

    def describe(self) -> str:
        """Return where a person finds what was sent."""


def follow(
    course: Course, tracker: Tracker, ended: threading.Event, note: Note, pauses: Pauses = DEFAULT_PAUSES
) -> bool:
    """Send a run until it has ended, and return whether all of it was sent.

    Args:
        course: of the run.
        tracker: where it is sent.
        ended: is set when the run has ended.
        note: receives lines for a person: where the run is found, and a failure, once.
        pauses: between attempts.
    """
    attempts = _Attempts(tracker.title, note, pauses)
    while not ended.wait(pauses.look):
        if course.read() or attempts.failed:
            attempts.make(tracker.send)
    course.finish()
    for number in range(LAST_TRIES):
        time.sleep(pauses.at_end if number else 0)
        if attempts.make(tracker.finish, again=True):
            note(f"sent to {tracker.describe()}")
            return True
    return False


class _Attempts:
    """Attempts to send, with a pause after each that fails."""

    def __init__(self, title: str, note: Note, pauses: Pauses) -> None:
        self._title = title
        self._note = note
        self._pauses = pauses
        self._noted = False
        self._pause = 0.0
        self._due = 0.0
        self.failed = False

    def make(self, send: Callable[[], None], *, again: bool = False) -> bool:
        """Send unless it is too early after a failure; return whether it was sent.

        Args:
            send: what to call.
            again: also when it is early.
        """
        if not again and time.monotonic() < self._due:
            return False
        try:
            send()
        except Exception as error:  # of a library of somebody else's, or of the network
            self._fail(error)
        else:
            self.failed, self._pause = False, 0.0
        return not self.failed

    def _fail(self, error: Exception) -> None:
        self.failed = True
        self._pause = min(max(self._pauses.first, 2 * self._pause), self._pauses.longest)
        self._due = time.monotonic() + self._pause
        if not self._noted:
            reason = mask_secrets(first_line(str(error)) or type(error).__name__)[:_PROBLEM_CHARACTERS]
            self._note(f"{self._title} does not take the run ({reason}); the run goes on, and it is sent again later")
        self._noted = True
