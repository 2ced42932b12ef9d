"""The packaged predictor of a run, as its folder holds it."""

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlestar.errors import UserError
from mlestar.export.alone.sums import ChangedError, check_model
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.frames import RowSpec

FOLDER = "predictor"
RECORD = "predictor.json"


class SavedFile(BaseModel):
    """A file of what was fitted."""

    model_config = ConfigDict(frozen=True)

    name: str
    format: str = ""
    sha256: str
    safe: bool = False
    """Reading it executes no code."""


class Check(BaseModel):
    """A comparison of what the packaged predictor predicts with what the run graded."""

    model_config = ConfigDict(frozen=True)

    name: str
    difference: float
    tolerance: float


class SavedPredictor(BaseModel):
    """`predictor.json`."""

    model_config = ConfigDict(frozen=True)

    run: str = ""
    spec: TaskSpec
    rows: RowSpec
    packages: dict[str, str] = {}
    """Versions of what the predictor imports."""
    files: tuple[SavedFile, ...] = ()
    safe: bool = False
    checks: tuple[Check, ...] = ()


def read_saved(folder: Path) -> SavedPredictor:
    """Return the packaged predictor of a run.

    Args:
        folder: of the predictor.

    Raises:
        UserError: there is none, or its files are not those that were accepted.
    """
    try:
        check_model(folder)
        saved = SavedPredictor.model_validate_json((folder / RECORD).read_bytes())
    except ChangedError as error:
        msg = f"the packaged predictor {folder} cannot be exported: {error}"
        raise UserError(msg) from error
    except (OSError, ValidationError) as error:
        msg = f"{folder / RECORD} cannot be read: package the run again"
        raise UserError(msg) from error
    if not (folder / "predictor.py").is_file():
        msg = f"{folder} has no predictor.py: package the run again"
        raise UserError(msg)
    return saved


def copy_predictor(source: Path, target: Path, left_out: set[str]) -> None:
    """Copy a predictor, without its record.

    Args:
        source: the folder of the predictor.
        target: a folder that does not exist.
        left_out: names of files in `data/` that are written for each request.

    Raises:
        UserError: it contains a link, which may lead anywhere.
    """
    for path in source.rglob("*"):
        if path.is_symlink():
            msg = f"{path} is a link, which a packaged predictor never has: package the run again"
            raise UserError(msg)
    target.mkdir()
    shutil.copyfile(source / "predictor.py", target / "predictor.py")
    for name in ("model", "data"):
        ignored = shutil.ignore_patterns("__pycache__", *(left_out if name == "data" else ()))
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=ignored, copy_function=shutil.copyfile)


def neutral_record(source: Path, rows: RowSpec) -> dict[str, Any]:
    """Return `predictor.json` with a description of the rows that repeats no cell."""
    values: dict[str, Any] = json.loads((source / RECORD).read_text(encoding="utf-8"))
    return {**values, "rows": rows.model_dump(mode="json")}
