"""Packaging a winner: what is accepted, what is refused, and what never happens on the host."""

import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar.agents.packager import check_packaged
from mlestar.agents.script import ScriptError
from mlestar.errors import UserError
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.compared import TOLERANCE, compare
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.package import (
    MODEL,
    PackageInfo,
    check_package,
    describe_file,
    package_folder,
    read_package,
)
from tests.unit.packaged import record_sums

PACKAGED = "def fit(data, model):\n    pass\n\n\ndef predict(model, data, submission):\n    pass\n"


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def spec(**changed: Any) -> TaskSpec:
    values = {"name": "t", "problem": "regression", "metric": "rmse", "direction": "minimize", "target": ("y",)}
    values |= {"id": "id", "train": "train.csv", "test": "test.csv", "prediction_columns": ("y",)}
    return TaskSpec.model_validate(values | {"prediction_kind": "value"} | changed)


def info(**changed: Any) -> PackageInfo:
    values = {"accepted": True, "run": "r", "solution": "t0", "solution_sha256": "", "spec": spec()}
    return PackageInfo(**(values | {"rows": RowSpec(columns=()), "test_file": "test.csv"} | changed))


def cells(*values: str) -> pd.DataFrame:
    return pd.DataFrame({"y": values}, dtype=object)


def test_numbers_within_the_tolerance_are_equal_and_others_are_named() -> None:
    near = compare("rows", spec(), cells("1.0", "2000"), cells(str(1 + TOLERANCE / 2), "2000.001"))
    assert near.passed
    far = compare("rows", spec(), cells("1.0"), cells("1.1"))
    assert not far.passed
    assert "largest difference is 0.1" in far.detail


def test_labels_must_be_exactly_equal() -> None:
    labels = spec(problem="binary", metric="accuracy", direction="maximize", prediction_kind="label")
    assert compare("rows", labels, cells("yes", "1.0"), cells("yes", "1")).passed
    assert compare("rows", labels, cells("yes", "no"), cells("yes", "yes")).difference == 0.5


def test_a_number_in_place_of_a_missing_one_differs() -> None:
    assert not compare("rows", spec(), cells("1.0"), cells("")).passed
    assert not compare("rows", spec(), cells("1.0", "2"), cells("1.0")).passed


@pytest.mark.parametrize("code", ["def fit(data, model):\n    pass\n", PACKAGED.replace("submission", "out"), "fit("])
def test_a_packager_must_define_both_functions(code: str) -> None:
    with pytest.raises(ScriptError, match="must define"):
        check_packaged(code)
    assert check_packaged(PACKAGED) == PACKAGED


def test_a_hostile_pickle_is_described_and_checked_without_being_loaded(tmp_path: Path) -> None:
    folder = package_folder(tmp_path) / MODEL
    folder.mkdir(parents=True)
    (folder / "a.pkl").write_bytes(pickle.dumps(Hostile(tmp_path / "harm")))
    file = describe_file(folder / "a.pkl", "a.pkl")
    assert (file.format, file.safe) == ("pickle", False)
    record(tmp_path, info(files=(file,)))
    check_package(tmp_path, record_sums(tmp_path))
    assert not (tmp_path / "harm").exists()


def record(run: Path, described: PackageInfo) -> None:
    (package_folder(run) / "predictor.json").write_text(described.model_dump_json())


@pytest.fixture
def packaged(tmp_path: Path) -> PackageInfo:
    """Return the record of a packaged predictor in the folder of the test."""
    for name in ("model/a.json", "data/side.csv", "predictor.py"):
        path = package_folder(tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    record(tmp_path, info())
    return record_sums(tmp_path)


@pytest.mark.parametrize("name", ["model/a.json", "data/side.csv", "predictor.py"])
def test_files_that_changed_after_the_acceptance_are_refused(tmp_path: Path, packaged: PackageInfo, name: str) -> None:
    check_package(tmp_path, packaged)
    path = package_folder(tmp_path) / name
    path.write_text("2")
    with pytest.raises(UserError, match=rf"{name} was changed since it was recorded: run `mlestar package` again"):
        check_package(tmp_path, packaged)
    path.unlink()
    with pytest.raises(UserError, match=f"{name} is gone since it was recorded"):
        check_package(tmp_path, packaged)
    (tmp_path / "elsewhere").write_text("1")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"{name} is a link"):
        check_package(tmp_path, packaged)


def test_files_and_folders_that_were_added_are_refused(tmp_path: Path, packaged: PackageInfo) -> None:
    for leads_to in (None, tmp_path, tmp_path / "nowhere"):
        for below in ("model", "data", "."):
            added = package_folder(tmp_path) / below / "planted.pkl"
            if leads_to is None:
                added.write_bytes(b"")
            else:
                added.symlink_to(leads_to)
            with pytest.raises(UserError, match=r"planted\.pkl was added since it was recorded"):
                check_package(tmp_path, packaged)
            added.unlink()


def test_a_folder_in_the_place_of_another_is_refused(tmp_path: Path, packaged: PackageInfo) -> None:
    model = package_folder(tmp_path) / MODEL
    model.rename(tmp_path / "moved")
    model.symlink_to(tmp_path / "moved")
    with pytest.raises(UserError, match=r"model/a\.json is a link"):
        check_package(tmp_path, packaged)


def test_a_predictor_of_an_older_version_must_be_packaged_again(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"older version, without the sha256 of predictor\.py: run `mlestar package`"):
        check_package(tmp_path, info())


def test_a_description_is_read_again_and_that_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder = package_folder(tmp_path)
    folder.mkdir()
    (folder / "predictor.json").write_text(info().model_dump_json())
    assert read_package(tmp_path) == info()
    (folder / "predictor.json").write_text(info(format=99).model_dump_json())
    with pytest.raises(UserError, match="newer version"):
        read_package(tmp_path)
    assert read_package(tmp_path / "other") is None
