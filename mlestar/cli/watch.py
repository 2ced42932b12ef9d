"""`mlestar watch`: follow a run of another process by what it writes into its folder; nothing is changed there."""

import time
from pathlib import Path

import typer

from mlestar.cli.exits import NO_SOLUTION
from mlestar.cli.live import LiveProgress
from mlestar.cli.showing import Shown
from mlestar.cli.terminal import echo_error
from mlestar.errors import UserError
from mlestar.events import Event
from mlestar.progress import EventReader, RunView
from mlestar.report import read_result
from mlestar.store import RunFolder

POLL_SECONDS = 0.5
QUIET_SECONDS = 10.0
"""Seconds without an event after which is checked whether a process still works on the run. Chosen by judgement."""
PAST_LINES = 10
"""Lines about what has happened before that a terminal shows."""


def watch_run(runs_dir: Path, run_id: str, *, as_json: bool, quiet: bool) -> None:
    """Show a run until it ends, then its result, and exit with its status.

    Raises:
        UserError: there is no such run, or it was made by another version.
    """
    folder = RunFolder(runs_dir, run_id)
    folder.read_settings()
    shown = Shown(as_json=as_json, quiet=quiet)
    reader = EventReader(folder.events)
    past = list(reader.read())
    view = RunView()
    with shown.progress as progress:
        if isinstance(progress, LiveProgress):
            progress.started = past[0].time if past else None
            past = _skip_lines(progress.view, past)
            view = progress.view
        for event in past:
            _show(shown, view, event)
        working = _follow(folder, reader, shown, view)
    if not working:
        echo_error(f"mlestar: no process works on run {run_id}; continue it with: mlestar resume {folder.arguments}")
        raise typer.Exit(NO_SOLUTION)
    try:
        result = read_result(folder)
    except UserError:  # it stopped before there was one
        echo_error(f"mlestar: {view.message}")
        raise typer.Exit(NO_SOLUTION) from None
    shown.end(result)


def _follow(folder: RunFolder, reader: EventReader, shown: Shown, view: RunView) -> bool:
    """Show the events as they come; return whether the run ended, rather than its process."""
    heard = time.monotonic() - QUIET_SECONDS
    while view.status is None:
        for event in reader.read():
            _show(shown, view, event)
            heard = time.monotonic()
        if time.monotonic() - heard >= QUIET_SECONDS:
            heard = time.monotonic()
            if not folder.is_in_use() and not any(_show(shown, view, event) for event in reader.read()):
                return view.status is not None
        time.sleep(POLL_SECONDS)
    return True


def _show(shown: Shown, view: RunView, event: Event) -> bool:
    """Show an event, which the view of a live progress takes into account itself."""
    shown(event)
    if not isinstance(shown.progress, LiveProgress):
        view.add(event)
    return True


def _skip_lines(view: RunView, past: list[Event]) -> list[Event]:
    """Take what has happened long ago into account without a line, and return the rest."""
    lines = [position for position, event in enumerate(past) if event.is_line]
    first = lines[-PAST_LINES] if len(lines) > PAST_LINES else 0
    view.began = 0.0
    view.add_all(past[:first])
    return past[first:]
