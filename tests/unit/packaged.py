"""Packaged predictors for tests of the export, written by hand into the folder of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlestar.predictor.package import INFO, PackageInfo, describe_file, package_folder, read_package
from mlestar.predictor.sums import sums_of
from mlestar.report import Result

SIGNS = """# /// script
# dependencies = []
# ///
import csv
import json
from pathlib import Path


def fit(data: Path, model: Path) -> None:
    (model / "model.json").write_text(json.dumps({"threshold": 0.0}))


def load(model: Path) -> dict:
    return json.loads((model / "model.json").read_text())


def predict(model: Path, data: Path, submission: Path) -> None:
    print("this is no answer")
    words = {row["word"] for row in csv.DictReader((data / "notes.csv").open())}
    assert "a" in words and not (data / "train.csv").exists()
    threshold = load(model)["threshold"]
    with (data / "test.csv").open() as rows, submission.open("w") as out:
        out.write("id,label\\n")
        for row in reversed(list(csv.DictReader(rows))):
            out.write(f"{row['id']},{'yes' if float(row['x']) > threshold else 'no'}\\n")
"""
"""Predicts the label of `tests.unit.scenario.make_task` without errors; the rows are in another order."""


def write_predictor(
    result: Result,
    code: str,
    model: Mapping[str, bytes],
    *,
    data: Mapping[str, bytes] | None = None,
    packages: Mapping[str, str] | None = None,
    **values: Any,
) -> Path:
    """Write a packaged predictor into the folder of a run and return its folder.

    Args:
        result: of the run.
        code: of `predictor.py`.
        model: the files of `model/`.
        data: the files of `data/`.
        packages: versions of what the predictor imports.
        **values: other fields of `predictor.json`.
    """
    folder = Path(result.folder) / "predictor"
    for below, files in (("model", model), ("data", data or {})):
        (folder / below).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / below / name).write_bytes(content)
    (folder / "predictor.py").write_text(code, encoding="utf-8")
    described = result.predictor(runner="local").describe()
    record = {
        "accepted": True,
        "run": result.run_id,
        "solution": result.winner,
        "solution_sha256": result.solution_sha256,
        "spec": described["spec"],
        "rows": described["rows"],
        "test_file": "test.csv",
        "data_files": sorted(data or {}),
        "packages": dict(packages or {}),
        "files": [describe_file(folder / "model" / name, name) for name in model],
        "checks": [{"name": "submission", "rows": 100, "difference": 0.0, "tolerance": 1e-6, "passed": True}],
        **values,
    }
    info = PackageInfo.model_validate(record)
    (folder / "predictor.json").write_text(info.model_dump_json(), encoding="utf-8")
    record_sums(Path(result.folder))
    return folder


def record_sums(run: Path) -> PackageInfo:
    """Write the sha256 of every file of a packaged predictor into its record, as packaging does; return the record."""
    folder, info = package_folder(run), read_package(run)
    assert info is not None
    recorded = info.model_copy(update={"sums": sums_of(folder)})
    (folder / INFO).write_text(recorded.model_dump_json(), encoding="utf-8")
    return recorded
