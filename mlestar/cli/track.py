"""`mlestar track`: send a run to trackers, after it has ended or, as the process of a tracker, while it works."""

import fcntl
import os
import sys
import threading

import typer

from mlestar.cli.exits import NO_SOLUTION
from mlestar.cli.terminal import echo
from mlestar.errors import SettingsError, UserError
from mlestar.settings import Settings
from mlestar.settings.trackers import TrackerSettings
from mlestar.store import RunFolder
from mlestar.trackers.course import Course
from mlestar.trackers.following import Tracker, follow

NICE = 10
"""By how much the process of a tracker gives way to the scripts of the run."""


def track_run(folder: RunFolder, options: dict[str, object], since: float | None) -> None:
    """Send a run to trackers, and exit with a status.

    Args:
        folder: of the run.
        options: settings of trackers that were given; without any, the run's own count.
        since: when the session began that is followed until standard input ends; None for a run that has ended.

    Raises:
        UserError: there is no such run, a process works on it, or a tracker cannot be used.
    """
    chosen = _choose(folder, options)
    chosen.check_usable()
    ended = threading.Event()
    if since is not None:
        os.nice(NICE)
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    elif folder.is_in_use():
        msg = f"a process works on run {folder.run_id}: send the run when it has ended"
        raise UserError(msg)
    else:
        ended.set()
    # One after the other: a session has a process for each.
    are_sent = [_send(folder, chosen, name, since, ended) for name in chosen.names]
    if not all(are_sent):
        raise typer.Exit(NO_SOLUTION)


def _send(folder: RunFolder, chosen: TrackerSettings, name: str, since: float | None, ended: threading.Event) -> bool:
    """Send a run to a tracker; a process of a session that was killed sends its rest first."""
    with (folder.path / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return follow(*_open(folder, chosen, name, since), ended, _note)


def _choose(folder: RunFolder, options: dict[str, object]) -> TrackerSettings:
    own = Settings.resolve(folder.read_settings().settings).trackers
    names = {name: value for name, value in options.items() if value}
    chosen = Settings.resolve({"trackers": names}).trackers if names.keys() - {"experiment"} else own
    if not chosen.names:
        msg = f"run {folder.run_id} has no trackers in its settings: say where to with --mlflow ADDRESS or --otel"
        raise SettingsError(msg)
    return chosen.model_copy(update={"experiment": options.get("experiment") or own.experiment})


def _open(folder: RunFolder, chosen: TrackerSettings, name: str, since: float | None) -> tuple[Course, Tracker]:
    course = Course(folder)
    if name == "mlflow":
        from mlestar.trackers.mlflow_runs import MlflowTracker

        return course, MlflowTracker(course, chosen.find_address(), chosen.experiment)
    from mlestar.trackers.spans import SpanTracker

    return course, SpanTracker(course, since=since or 0.0)


def _note(line: str) -> None:
    echo(line)
    sys.stdout.flush()


def _wait_for_end(ended: threading.Event) -> None:
    """Wait for the end of standard input, which the process that works on the run holds open."""
    sys.stdin.buffer.read()
    ended.set()
