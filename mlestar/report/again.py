"""Writing the report of a run again, from its folder alone."""

from pathlib import Path

from mlestar.errors import UserError
from mlestar.report.differences import read_scripts
from mlestar.report.examples import read_media
from mlestar.report.page import render_page
from mlestar.report.result import Result, read_result
from mlestar.state import Brief
from mlestar.store import Blobs, RunFolder


def render_report(folder: RunFolder) -> str:
    """Return the page of a run that has a result.

    Raises:
        UserError: it has none yet, or another version made it.
    """
    result = read_result(folder, check=False)
    brief = _read_brief(folder, result)
    return render_page(result, brief, read_scripts(result), folder.read_settings().settings, read_media(result))


def write_report(folder: RunFolder, path: Path | None = None) -> Path:
    """Write the page into the run folder or to another path, and return the path.

    Raises:
        UserError: as `render_report`, or the path cannot be written.
    """
    page, target = render_report(folder), path or folder.report
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {target}: {error.strerror}"
        raise UserError(msg) from error
    return target


def _read_brief(folder: RunFolder, result: Result) -> Brief:
    if not result.brief:
        msg = f"run {folder.run_id} ended before its task was read, or was made by a version that did not keep it"
        raise UserError(msg)
    path = Blobs(folder.blobs).verified(result.brief)
    return Brief.model_validate_json(path.read_bytes())
