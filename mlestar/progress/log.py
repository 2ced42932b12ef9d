"""`events.jsonl`: the events of a run, a line of JSON each, which another process can follow."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from mlestar.errors import escape_hidden
from mlestar.events import Event

logger = logging.getLogger("mlestar.progress")

MAX_BYTES = 64 * 2**20
"""Size of the file. Beyond it only the beginning and the end of a session are added. A run of a day with 2,000 model
calls and 1,000 executions writes 3 MB. Chosen by judgement."""
MAX_LINE = 64 * 2**10
"""Bytes of one event; a longer one loses its texts. Chosen by judgement."""
_TEXTS = ("message", "problem", "plan", "title")
_SHORT = 500
"""Characters that are left of a text of an event that is too long."""
FULL = Event(stage="events", message=f"the file of events has {MAX_BYTES >> 20} MB: no more events are kept in it")


class EventLog:
    """Passes the events of a run to its caller, and appends them to the file of the run folder once it is open.

    A write that fails does not stop the run: the event is missing in the file.
    """

    def __init__(
        self, path: Path, on_event: Callable[[Event], None] | None = None, *, max_bytes: int = MAX_BYTES
    ) -> None:
        """Take the file, which is not touched before `open`, and who else receives the events."""
        self._path = path
        self._on_event = on_event
        self._max_bytes = max_bytes
        self._writer: ThreadPoolExecutor | None = None
        self._failed = False
        self._full = False
        """This session has said that the file is full."""

    def __call__(self, event: Event) -> None:
        if self._writer is not None:
            self._writer.submit(self._append, event)
        if self._on_event is not None:
            self._on_event(event)

    def open(self) -> None:
        """Keep events from here on; those of earlier sessions stay."""
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="events")

    def flush(self) -> None:
        """Return when all events until now are written."""
        if self._writer is not None:
            self._writer.submit(int).result()

    def close(self) -> None:
        """Keep no more events; returns when all are written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()

    def _append(self, event: Event) -> None:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                self._write(handle, event)
            finally:
                os.close(handle)
        except OSError as error:
            if not self._failed:
                logger.warning("%s cannot be written: %s", self._path, error.strerror)
            self._failed = True

    def _write(self, handle: int, event: Event) -> None:
        size = os.fstat(handle).st_size
        line = to_line(event)
        if size + len(line) > self._max_bytes and event.work != "run":
            if self._full:
                return
            self._full, line = True, to_line(FULL)
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, b"\n" + line if torn else line)


def to_line(event: Event) -> bytes:
    """Return an event as a line of JSON; texts of one that is too long are cut."""
    line = escape_hidden(event.model_dump_json(exclude_defaults=True)).encode() + b"\n"
    if len(line) <= MAX_LINE:
        return line
    cut = {name: getattr(event, name)[:_SHORT] for name in _TEXTS}
    return escape_hidden(event.model_copy(update=cut).model_dump_json(exclude_defaults=True)).encode() + b"\n"


class EventReader:
    """Reads a file of events as it grows."""

    def __init__(self, path: Path) -> None:
        """Take the file, which need not exist yet."""
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[Event]:
        """Yield the events since the last time; lines that cannot be read, such as torn ones, are left out.

        A last line without its end is read the next time.
        """
        for line in self._lines():
            try:
                yield Event.model_validate_json(line)
            except ValidationError:
                continue

    def _lines(self) -> list[bytes]:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return []
        with os.fdopen(handle, "rb") as file:
            if os.fstat(handle).st_size < self._offset:  # another file: the run was started again
                self._offset = 0
            file.seek(self._offset)
            text = file.read(2 * MAX_BYTES)
        *lines, _ = text.split(b"\n")
        self._offset += sum(len(line) + 1 for line in lines)
        return [line for line in lines if line.strip() and len(line) <= 2 * MAX_LINE]


def read_events(path: Path) -> list[Event]:
    """Return the events of a file; none where there is no file."""
    return list(EventReader(path).read())
