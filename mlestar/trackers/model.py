"""The packaged predictor of a run as a model of MLflow: the exported folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.export.saved import is_missing, read_saved
from mlestar.trackers.course import Course


@dataclass(frozen=True)
class ExportedModel:
    """A folder that MLflow loads."""

    folder: Path
    version: str
    """Is another one when the predictor is."""


def exported_model(course: Course, place: Path, known: str = "") -> ExportedModel | None:
    """Write the packaged predictor of a run into a folder; return None where there is none, or it is the known one.

    Nothing is packaged for it: `mlestar package` does that.

    Args:
        course: of the run.
        place: an existing folder for it.
        known: the version that need not be written again.
    """
    run, result = course.folder.path, course.result
    try:
        if result is None or not result.solution or is_missing(run, result):
            return None
        sums = json.dumps(read_saved(run).sums, sort_keys=True)
        version = hashlib.sha256(sums.encode()).hexdigest()
        if version == known:
            return None
        return ExportedModel(export_run(run, place / "model"), version)
    except UserError:  # it was not accepted, or its task is gone
        return None
