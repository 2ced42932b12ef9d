"""Rows that are positions along the first axis of arrays."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.data.layouts.array_files import ArrayInfo, list_arrays, read_array, read_pieces
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import check_submission, manifest, stage
from tests.unit.layout_folders import grade, list_files, stage_search, withheld_cells, write_table

Data = dict[str, np.ndarray]


def make_arrays(rows: int, seed: int = 0) -> Data:
    """Return pictures whose pixels are all the row's number, ids and labels."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(rows) + 1000 * seed
    pictures = np.broadcast_to(numbers[:, None, None], (rows, 8, 8)).astype(np.int32)
    ids = np.array([f"img_{number:05d}" for number in numbers])
    return {"id": ids, "image": pictures, "label": rng.integers(0, 3, rows)}


def two_archives(folder: Path, *, sample: bool = True, **overrides: Any) -> Task:
    folder.mkdir(parents=True)
    test = make_arrays(60, seed=5)
    train = make_arrays(200)
    classes = np.array(["a", "b", "c", "d"])
    np.savez_compressed(
        folder / "train.npz", classes=classes, id=train["id"], image=train["image"], label=train["label"]
    )
    np.savez_compressed(folder / "test.npz", id=test["id"], image=test["image"])
    if sample:
        write_table(folder / "sample_submission.csv", pd.DataFrame({"id": test["id"], "p0": 0.4, "p1": 0.3, "p2": 0.3}))
    return Task.load(folder, **{"metric": "log_loss", **overrides})


def read_npz(path: Path) -> Data:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_npz(path: Path, arrays: Data) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)


def test_a_holdout_is_slices_in_the_form_of_the_real_files(tmp_path: Path) -> None:
    task = two_archives(tmp_path / "task")
    assert (task.spec.train_rows, task.spec.test_rows, task.spec.id) == (200, 60, "id")
    assert (task.spec.modality, task.spec.target) == ("image", ("label",))
    holdout = stage_search(task, tmp_path / "input")
    train, test = (read_npz(tmp_path / "input" / f"{name}.npz") for name in ("train", "test"))
    real, real_test = (read_npz(tmp_path / "task" / f"{name}.npz") for name in ("train", "test"))
    assert set(train) == set(real)
    assert set(test) == set(real_test)
    for name in ("id", "image", "label"):
        np.testing.assert_array_equal(train[name], real[name][holdout.train])
        assert train[name].dtype == real[name].dtype
    for name in ("id", "image"):
        np.testing.assert_array_equal(test[name], real[name][holdout.withheld])
    np.testing.assert_array_equal(train["classes"], real["classes"])
    sample = pd.read_csv(tmp_path / "input/sample_submission.csv")
    assert list(sample["id"]) == list(real["id"][holdout.withheld])
    assert list_files(tmp_path / "input") == {"train.npz", "test.npz", "sample_submission.csv"}


def test_a_right_submission_is_graded_as_perfect(tmp_path: Path) -> None:
    task = two_archives(tmp_path / "task")
    holdout = stage_search(task, tmp_path / "input")
    right = withheld_cells(task, holdout)
    submission = right[["id"]].assign(**{f"p{label}": (right["label"] == str(label)).astype(float) for label in "012"})
    score = grade(task, holdout, submission, tmp_path / "right.csv")
    assert score == pytest.approx(0.0, abs=1e-9)


def test_the_submission_for_the_real_rows_is_checked(tmp_path: Path) -> None:
    task = two_archives(tmp_path / "task")
    stage(task, None, tmp_path / "input")
    assert manifest(tmp_path / "input") == manifest(tmp_path / "task")
    ids = make_arrays(60, seed=5)["id"]
    frame = pd.DataFrame({"id": ids, "p0": 0.2, "p1": 0.5, "p2": 0.3})
    frame.to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(task, tmp_path / "submission.csv") == ""
    frame.iloc[:-1].to_csv(tmp_path / "submission.csv", index=False)
    assert "59 rows instead of 60" in check_submission(task, tmp_path / "submission.csv")


def test_equal_rows_are_staged_as_equal_bytes(tmp_path: Path) -> None:
    task = two_archives(tmp_path / "task")
    stage_search(task, tmp_path / "one")
    stage_search(task, tmp_path / "two")
    assert manifest(tmp_path / "one") == manifest(tmp_path / "two")


def test_agents_read_what_is_in_the_arrays_but_nothing_of_withheld_rows(tmp_path: Path) -> None:
    task = two_archives(tmp_path / "task")
    assert "labelled rows are train.npz (id, image)" in task.spec.layout_note
    shown = task.showing(np.arange(50))
    train = next(file for file in shown.statistics if file.file == "train.npz")
    assert "image int32 200 x 8 x 8" in train.note
    assert {column.name: column.distinct for column in train.columns}["id"] == 50


# Other files and names


def write_separate(folder: Path, names: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for name, array in names.items():
        np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("features", "labels", "test"),
    [
        ("X_train", "y_train", "X_test"),
        ("train_images", "train_labels", "test_images"),
        ("xtrain", "ytrain", "xtest"),
    ],
)
def test_arrays_in_files_of_their_own(features: str, labels: str, test: str, tmp_path: Path) -> None:
    values = np.arange(900.0).reshape(300, 3)
    truth = values[:, 0] * 2
    write_separate(tmp_path / "task", {features: values[:200], labels: truth[:200], test: values[200:]})
    task = Task.load(tmp_path / "task", metric="rmse")
    assert (task.spec.train_rows, task.spec.test_rows, task.spec.id) == (200, 100, None)
    holdout = stage_search(task, tmp_path / "input")
    staged = {path.stem: np.load(path) for path in (tmp_path / "input").iterdir()}
    assert set(staged) == {features, labels, test}
    np.testing.assert_array_equal(staged[features][:, 0] * 2, staged[labels])
    np.testing.assert_array_equal(staged[test], values[holdout.withheld])
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 0.0


@pytest.mark.parametrize(
    ("keys", "answers"),
    [
        (("x_train", "y_train", "x_test"), False),
        (("X_train", "Y_train", "X_test"), False),
        (("train_x", "train_y", "test_x"), False),
        (("x_train", "y_train", "x_test", "y_test"), True),
        (("x", "y"), None),
        (("images", "labels"), None),
    ],
)
def test_one_archive_with_everything(keys: tuple[str, ...], answers: bool | None, tmp_path: Path) -> None:
    train, test = make_arrays(200), make_arrays(60, seed=5)
    values = dict(zip(keys, (train["image"], train["label"], test["image"], test["label"]), strict=False))
    (tmp_path / "task").mkdir()
    write_npz(tmp_path / "task/data.npz", values)
    task = Task.load(tmp_path / "task", metric="accuracy")
    assert task.spec.has_test == (answers is False)
    holdout = stage_search(task, tmp_path / "input")
    stage(task, None, tmp_path / "real")
    staged = read_npz(tmp_path / "input/data.npz")
    np.testing.assert_array_equal(staged[keys[0]], train["image"][holdout.train])
    np.testing.assert_array_equal(staged[keys[1]], train["label"][holdout.train])
    hidden = staged.get(keys[0].replace("train", "test"))
    if answers is None:
        hidden = read_npz(tmp_path / "input/test.npz")[keys[0]]
    assert hidden is not None
    np.testing.assert_array_equal(hidden, train["image"][holdout.withheld])
    assert "y_test" not in staged
    if answers:
        assert "y_test" not in read_npz(tmp_path / "real/data.npz")
        assert any("holds the answers of test: no input contains" in note for note in task.notes)
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 1.0


def test_answers_in_a_file_of_their_own_are_never_staged(tmp_path: Path) -> None:
    values = np.arange(900.0).reshape(300, 3)
    arrays = {"X_train": values[:200], "y_train": values[:200, 0], "X_test": values[200:], "y_test": values[200:, 0]}
    write_separate(tmp_path / "task", arrays)
    task = Task.load(tmp_path / "task", metric="rmse")
    assert not task.spec.has_test
    stage(task, None, tmp_path / "real")
    holdout = stage_search(task, tmp_path / "input")
    for folder in ("real", "input"):
        assert list_files(tmp_path / folder) == {"X_train.npy", "y_train.npy", "X_test.npy"}
    np.testing.assert_array_equal(np.load(tmp_path / "input/X_test.npy"), values[holdout.withheld])


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    train, test = make_arrays(200), make_arrays(60, seed=5)
    (tmp_path / "task").mkdir()
    with h5py.File(tmp_path / "task/data.h5", "w") as file:
        file.create_dataset("train/images", data=train["image"], compression="gzip", chunks=(16, 8, 8))
        file.create_dataset("train/labels", data=train["label"])
        file.create_dataset("test/images", data=test["image"])
        file["train/images"].attrs["unit"] = "grey"
    task = Task.load(tmp_path / "task", metric="accuracy")
    assert (task.spec.train_rows, task.spec.test_rows) == (200, 60)
    holdout = stage_search(task, tmp_path / "input")
    with h5py.File(tmp_path / "input/data.h5") as file:
        np.testing.assert_array_equal(file["train/images"][:], train["image"][holdout.train])
        np.testing.assert_array_equal(file["train/labels"][:], train["label"][holdout.train])
        np.testing.assert_array_equal(file["test/images"][:], train["image"][holdout.withheld])
        assert file["train/images"].compression == "gzip"
        assert file["train/images"].attrs["unit"] == "grey"
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 1.0


def test_hdf5_without_h5py_is_asked_for_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(TaskError, match=r"^reading HDF5 files needs h5py: pip install 'mlestar\[hdf5\]'$"):
        Task.load(tmp_path, metric="accuracy")


def test_a_table_of_labels_beside_an_array(tmp_path: Path) -> None:
    values = np.arange(900.0).reshape(300, 3)
    write_separate(tmp_path / "task", {"train": values[:200], "test": values[200:]})
    labels = pd.DataFrame({"id": range(200), "site": np.arange(200) % 7, "y": values[:200, 0]})
    write_table(tmp_path / "task/train_labels.csv", labels)
    write_table(tmp_path / "task/sample_submission.csv", pd.DataFrame({"id": range(200, 300), "y": 0.5}))
    task = Task.load(tmp_path / "task", metric="rmse")
    assert (task.spec.layout, task.spec.id, task.spec.target) == ("arrays", "id", ("y",))
    holdout = stage_search(task, tmp_path / "input")
    staged = pd.read_csv(tmp_path / "input/train_labels.csv")
    np.testing.assert_array_equal(staged["y"], np.load(tmp_path / "input/train.npy")[:, 0])
    np.testing.assert_array_equal(np.load(tmp_path / "input/test.npy"), values[holdout.withheld])
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 0.0


# Fields, labels and ids


def test_one_dimensional_arrays_are_fields_by_which_rows_are_split(tmp_path: Path) -> None:
    patients = np.repeat(np.arange(60), 5)
    (tmp_path / "task").mkdir()
    arrays = make_arrays(300)
    np.savez(tmp_path / "task/train.npz", x=arrays["image"][:200], y=arrays["label"][:200], patient=patients[:200])
    np.savez(tmp_path / "task/test.npz", x=arrays["image"][200:], patient=patients[200:])
    task = Task.load(tmp_path / "task", metric="accuracy", split="group:patient")
    holdout = stage_search(task, tmp_path / "input")
    assert not set(patients[holdout.train]) & set(patients[holdout.withheld])


def test_one_hot_labels_are_classes(tmp_path: Path) -> None:
    arrays = make_arrays(200)
    (tmp_path / "task").mkdir()
    np.savez(tmp_path / "task/train.npz", x=arrays["image"], y=np.eye(3, dtype=np.uint8)[arrays["label"]])
    np.savez(tmp_path / "task/test.npz", x=arrays["image"][:50])
    sample = pd.DataFrame({"id": range(50), "cat": 0.3, "dog": 0.3, "emu": 0.4})
    write_table(tmp_path / "task/sample_submission.csv", sample)
    task = Task.load(tmp_path / "task", metric="log_loss")
    assert (task.spec.classes, task.spec.target, task.spec.id) == (("cat", "dog", "emu"), ("y",), None)
    assert "y is one-hot: a column for each class, in the order cat, dog, emu" in task.spec.layout_note


def test_several_targets_are_named_as_in_the_sample(tmp_path: Path) -> None:
    values = np.arange(900.0).reshape(300, 3)
    (tmp_path / "task").mkdir()
    np.savez(tmp_path / "task/train.npz", x=values[:200], y=values[:200, :2])
    np.savez(tmp_path / "task/test.npz", x=values[200:])
    write_table(tmp_path / "task/sample.csv", pd.DataFrame({"id": [f"r{row}" for row in range(100)], "u": 0, "v": 0}))
    task = Task.load(tmp_path / "task", metric="rmse")
    assert (task.spec.target, task.spec.id) == (("u", "v"), "id")
    holdout = stage_search(task, tmp_path / "input")
    ids = pd.read_csv(tmp_path / "input/sample.csv", dtype=str)["id"]
    truth = task.train.rows[["u", "v"]].iloc[holdout.withheld].reset_index(drop=True)
    assert grade(task, holdout, truth.assign(id=ids), tmp_path / "right.csv") == 0.0


def test_pickled_labels_are_refused(tmp_path: Path) -> None:
    arrays = make_arrays(60)
    labels = np.array(["a", "b"] * 30, dtype=object)
    np.savez(tmp_path / "train.npz", image=arrays["image"], label=labels)
    with pytest.raises(TaskError, match=r"train\.npz:label holds pickled objects, which are never loaded"):
        Task.load(tmp_path, metric="accuracy")


def test_a_sample_of_another_length_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    np.savez(folder / "train.npz", x=np.zeros((50, 3)), y=np.arange(50))
    np.savez(folder / "test.npz", x=np.zeros((20, 3)))
    write_table(folder / "sample_submission.csv", pd.DataFrame({"id": [f"r{row}" for row in range(7)], "y": 0}))
    with pytest.raises(TaskError, match=r"sample_submission.csv has 7 rows, but the arrays of test.npz have 20"):
        Task.load(folder, metric="rmse")


# Reading in pieces


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.h5"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pieces_together_are_the_array(name: str, order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith("h5"):
        pytest.importorskip("h5py")
    monkeypatch.setattr("mlestar.data.layouts.array_files._PIECE", 64)
    array = np.asarray(np.arange(60.0).reshape(20, 3), order="F" if order == "F" else "C")
    write_any(tmp_path / name, array)
    (info,) = list_arrays(tmp_path, name)
    assert info.shape == (20, 3)
    assert info.dtype == np.dtype(float)
    np.testing.assert_array_equal(read_array(tmp_path, info), array)
    if order == "C":
        assert len(list(read_pieces(tmp_path, info))) == 10


def write_any(path: Path, array: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, x=array)
    else:
        import h5py

        with h5py.File(path, "w") as file:
            file["x"] = array


def test_a_file_that_holds_no_arrays_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.npz").write_text("not a zip file")
    with pytest.raises(TaskError, match=r"train.npz cannot be read as arrays: File is not a zip file"):
        Task.load(tmp_path, metric="rmse")
    assert ArrayInfo("a.npy", "", (3,), np.dtype("int8"), compressed=False).title == "a.npy"
