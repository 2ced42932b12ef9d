"""What a run tells while it works: the file of its events, and where the run stands by them."""

from mlestar.progress.log import MAX_BYTES, EventLog, EventReader, read_events, to_line
from mlestar.progress.view import Running, RunView, Scored, TrackView

__all__ = [
    "MAX_BYTES",
    "EventLog",
    "EventReader",
    "RunView",
    "Running",
    "Scored",
    "TrackView",
    "read_events",
    "to_line",
]
