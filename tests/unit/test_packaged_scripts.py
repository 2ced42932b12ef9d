"""The offline packager: scripts of different authors, split into fitting and predicting, predict the same."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.evaluation.blending.script import Part, write_blend
from mlestar.offline.packaging import write_packaged
from tests.unit.packaged_styles import COUNTED, NEIGHBOURS, STYLES, TIMED

TRAIN_ROWS, TEST_ROWS = 230, 71
FITTING_STYLES = ["class", "booster", "catboost", "text", "stacked"]
RUN = """
import shutil, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import predictor
predictor.fit(Path("input"), Path("model"))
for name in sys.argv[1:]:
    predictor.predict(Path("model"), Path(name), Path(f"{name}.csv"))
"""
SELECTIONS = {"one": [4], "few": [9, 2, 30], "many": [*range(TEST_ROWS), *range(40)]}


def write_data(folder: Path) -> pd.DataFrame:
    """Write the input of the styles; return the rows to predict."""
    rng = np.random.default_rng(0)
    size = TRAIN_ROWS + TEST_ROWS
    rows = pd.DataFrame({"id": range(size), "size": rng.normal(size=size), "age": rng.integers(1, 80, size) / 1.0})
    rows["kind"] = rng.choice(["ash", "birch", "cedar"], size)
    rows.loc[rng.random(size) < 0.1, "age"] = np.nan
    rows["y"] = (rows["size"] + (rows["kind"] == "ash") + 0.3 * rng.normal(size=size) > 0.3).astype(int)
    folder.mkdir()
    rows[:TRAIN_ROWS].to_csv(folder / "train.csv", index=False)
    test = rows[TRAIN_ROWS:].drop(columns="y").reset_index(drop=True)
    write_rows(folder, test)
    return test


def write_rows(folder: Path, rows: pd.DataFrame) -> None:
    folder.mkdir(exist_ok=True)
    rows.to_csv(folder / "test.csv", index=False)
    rows[["id"]].assign(y=0.5).to_csv(folder / "sample_submission.csv", index=False)


def package(folder: Path, source: str, **selections: list[int]) -> pd.DataFrame:
    """Package a script, predict selections of the test rows in files of their names; return the script's submission."""
    return split(folder, source, (), selections)


def package_with_rows(folder: Path, source: str, **selections: list[int]) -> pd.DataFrame:
    """Do the same with the train rows beside the models."""
    return split(folder, source, ("train.csv",), selections)


def split(folder: Path, source: str, kept: tuple[str, ...], selections: Mapping[str, list[int]]) -> pd.DataFrame:
    test = write_data(folder / "input")
    write_rows(folder / "test", test)
    for name, places in selections.items():
        write_rows(folder / name, test.iloc[places])
    (folder / "predictor.py").write_text(write_packaged(source, "train.csv", "test.csv", kept), encoding="utf-8")
    (folder / "main.py").write_text(source, encoding="utf-8")
    run(folder, "-c", RUN, "test", *selections)
    run(folder, "main.py")
    return pd.read_csv(folder / "submission.csv")


def run(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.parametrize("style", STYLES)
def test_a_packaged_script_predicts_what_the_script_does(tmp_path: Path, style: str) -> None:
    expected = package(tmp_path, STYLES[style], **SELECTIONS)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "test.csv"), expected, rtol=1e-9)
    for name, places in SELECTIONS.items():
        found = pd.read_csv(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(found, expected.iloc[places].reset_index(drop=True), rtol=1e-9)


@pytest.mark.parametrize("style", FITTING_STYLES)
def test_a_script_that_keeps_train_rows_predicts_what_the_script_does(tmp_path: Path, style: str) -> None:
    expected = package_with_rows(tmp_path, STYLES[style], **SELECTIONS)
    for name, places in {"test": [*range(TEST_ROWS)], **SELECTIONS}.items():
        found = pd.read_csv(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(found, expected.iloc[places].reset_index(drop=True), rtol=1e-9)


def test_what_is_counted_over_train_and_test_is_counted_again_for_new_rows(tmp_path: Path) -> None:
    """One row alone gets what the script itself gives it, and no model is trained for it."""
    package_with_rows(tmp_path, COUNTED, one=[4])
    alone = tmp_path / "alone"
    write_data(alone.with_name("again"))
    alone.mkdir()
    shutil.copytree(tmp_path / "one", alone / "input")
    shutil.copy(tmp_path / "input" / "train.csv", alone / "input")
    (alone / "main.py").write_text(COUNTED, encoding="utf-8")
    run(alone, "main.py")
    found = pd.read_csv(tmp_path / "one.csv")
    pd.testing.assert_frame_equal(found, pd.read_csv(alone / "submission.csv"), rtol=1e-9)
    assert found["y"].iloc[0] != pd.read_csv(tmp_path / "test.csv")["y"].iloc[4]
    assert (tmp_path / "model" / "rows" / "train.csv").is_file()


def test_a_script_that_trains_while_there_is_time_trains_as_often_when_it_predicts(tmp_path: Path) -> None:
    package_with_rows(tmp_path, TIMED, again=[*range(TEST_ROWS)])
    steps = json.loads((tmp_path / "model" / "script1" / "fits.json").read_text(encoding="utf-8"))
    assert len(steps["times"]) == 1 + len(next(iter(steps["fits"].values())))
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "test.csv").read_bytes()


def test_a_script_that_trains_nothing_is_not_packaged_with_train_rows(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="trains nothing that can be saved"):
        package_with_rows(tmp_path, STYLES["plain loops"])


@pytest.mark.parametrize("key", ["id", None])
def test_each_member_of_a_blend_is_split_and_their_predictions_are_blended(tmp_path: Path, key: str | None) -> None:
    parts = [Part("t0.c1", STYLES["fold loop"], 0.7), Part("t0.c2", STYLES["train and test together"], 0.3)]
    source = write_blend(parts, columns=["y"], scale="value", key=key)
    expected = package(tmp_path, source, **SELECTIONS)
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"script1", "script2"}
    for name, places in {"test": [*range(TEST_ROWS)], **SELECTIONS}.items():
        found = pd.read_csv(tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(found, expected.iloc[places].reset_index(drop=True), rtol=1e-9)


@pytest.mark.parametrize("style", ["fold loop", "booster", "train and test together"])
def test_what_is_saved_is_safe_and_has_no_train_rows(tmp_path: Path, style: str) -> None:
    package(tmp_path, STYLES[style])
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".npy", ".skops", ".txt"}
    size = pd.read_csv(tmp_path / "input" / "train.csv")["size"]
    saved = b"".join(path.read_bytes() for path in files if path.suffix == ".json")
    assert not any(repr(value).encode() in saved for value in size[:50])


def test_a_model_is_saved_once_and_compressed(tmp_path: Path) -> None:
    package(tmp_path, STYLES["forests"])
    files = list((tmp_path / "model").rglob("*.skops"))
    assert len(files) == 3
    parts = [part for path in files for part in zipfile.ZipFile(path).infolist()]
    assert sum(part.compress_size for part in parts) < 0.6 * sum(part.file_size for part in parts)


def test_a_row_that_depends_on_its_neighbours_is_predicted_differently_alone(tmp_path: Path) -> None:
    expected = package(tmp_path, NEIGHBOURS, one=[int(np.argmin(write_data(tmp_path / "again")["size"]))])
    assert pd.read_csv(tmp_path / "test.csv").equals(expected)
    assert pd.read_csv(tmp_path / "one.csv")["y"].iloc[0] == 1
    assert expected["y"].mean() < 1


def test_a_packaged_script_declares_what_the_script_does(tmp_path: Path) -> None:
    source = '# /// script\n# dependencies = ["humanize"]\n# ///\nimport sklearn\n'
    assert '"humanize", "skops==' in write_packaged(source, "train.csv", "test.csv").split("# ///")[1]
