"""Writing the report of a run again, from its folder alone, whether the run is finished or not."""

import os
from datetime import UTC, datetime
from pathlib import Path

from mlestar.errors import UserError
from mlestar.report.differences import read_scripts
from mlestar.report.examples import read_media
from mlestar.report.page import render_page
from mlestar.report.unfinished import read_state
from mlestar.store import RunFolder


def render_report(folder: RunFolder) -> str:
    """Return the page of a run.

    Raises:
        UserError: the run has not read its task yet, or another version made it.
        StoreError: its ledger cannot be read.
    """
    result, brief, is_running = read_state(folder)
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC" if is_running else ""
    scripts, settings = read_scripts(result), folder.read_settings().settings
    return render_page(result, brief, scripts, settings, read_media(result), running_at=moment)


def write_report(folder: RunFolder, path: Path | None = None) -> Path:
    """Write the page into the run folder or to another path, and return the path.

    Raises:
        UserError: as `render_report`, or the path cannot be written.
        StoreError: as `render_report`.
    """
    page, target = render_report(folder), path or folder.report
    try:
        if path is not None:
            path.write_text(page, encoding="utf-8")
        else:
            _replace(folder.report, page)
    except OSError as error:
        msg = f"cannot write {target}: {error.strerror}"
        raise UserError(msg) from error
    return target


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: the process that works on the run may write it at the same time."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)  # a link would lead elsewhere
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
