"""New rows that are files, have files or are those of arrays: in the place of the rows to predict, or refused."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlestar.data.layouts.array_files import list_arrays, read_array
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import stage
from mlestar.evaluation.grader import check_submission
from mlestar.evaluation.submission_file import write_submission
from mlestar.predictor import row_spec
from mlestar.predictor.asset_kinds import read_facts
from mlestar.predictor.given import read_given
from mlestar.predictor.known_rows import known_rows
from mlestar.predictor.new_rows import NewRows, check_replaceable, put_new, read_new_rows
from tests.unit import new_file_tasks as tasks
from tests.unit.layout_folders import list_files
from tests.unit.new_file_tasks import MAKERS, NewRowTask

WITHOUT_TEST = ("class_folders_without_test", "one_table")


def read(task: Task, rows: Any, files: Path | None, scratch: Path, notes: list[str] | None = None) -> NewRows:
    given = read_given(rows, files, task.test.name, scratch)
    return read_new_rows(task, row_spec(task), given, None if notes is None else notes.append)


def put(new: NewRowTask, scratch: Path) -> tuple[Task, Task, Path, NewRows]:
    """Return the task, that of the new rows, the input that scripts find, and the rows."""
    task = Task.load(new.folder)
    check_replaceable(task)
    rows = read(task, new.rows, new.files, scratch / "given")
    stage(task, None, scratch / "real")
    return task, put_new(task, row_spec(task), scratch / "real", rows), scratch / "real", rows


def refused(new: NewRowTask, rows: Any = None, files: Path | None = None) -> str:
    """Return the only line with which new rows are refused."""
    task = Task.load(new.folder)
    with pytest.raises(UserError) as caught:
        read(task, new.rows if rows is None else rows, files or new.files, new.folder.parent / "given")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_new_rows_take_the_place_of_the_rows_to_predict(make: Callable[[Path], NewRowTask], tmp_path: Path) -> None:
    new = make(tmp_path)
    task, changed, staged, rows = put(new, tmp_path)
    stage(task, None, tmp_path / "before")
    before, after = list_files(tmp_path / "before"), list_files(staged)
    old = {name for name in before if name not in after}
    assert after - before | {name for name in new.staged if name in before} == new.staged
    assert not {name for name in old if name.startswith("train/")}
    if task.layout.has_test and new.staged:
        folder = next(iter(new.staged)).split("/")[0]
        in_test = {name for name in after if name.startswith(f"{folder}/")}
        assert in_test == new.staged or folder in ("images", "audio")
    submission = tmp_path / "submission.csv"
    ids = [] if not new.ids else [pd.Series(new.ids, name=task.spec.id)]
    predicted = [
        pd.Series([task.train.rows[task.spec.target[0]].iloc[0]] * len(rows.cells), name=name)
        for name in task.spec.prediction_columns
    ]
    pd.concat([*ids, *predicted], axis=1).to_csv(submission, index=False)
    assert check_submission(changed, submission) in ("", "its predictions are those of the sample submission")
    assert write_submission(changed, submission).count("\n") == len(rows.cells) + 1
    assert [str(cell) for cell in rows.cells[task.spec.id]] == new.ids if new.ids else task.spec.id is None


@pytest.mark.parametrize("make", [make for name, make in MAKERS.items() if name not in WITHOUT_TEST])
def test_with_the_rows_of_the_test_the_input_is_the_real_one(
    make: Callable[[Path], NewRowTask], tmp_path: Path
) -> None:
    task = Task.load(make(tmp_path).folder)
    for name in ("real", "again"):
        stage(task, None, tmp_path / name)
    cells = task.test.rows
    new = known_rows(task, tmp_path / "real", cells, np.arange(len(cells)))
    put_new(task, row_spec(task), tmp_path / "again", new)
    files = list_files(tmp_path / "real")
    assert list_files(tmp_path / "again") == files
    for name in sorted(files):
        before, after = (tmp_path / folder / name for folder in ("real", "again"))
        if name.endswith(".npz"):
            arrays = np.load(before), np.load(after)
            assert all(np.array_equal(arrays[0][key], arrays[1][key]) for key in arrays[0].files)
        else:
            assert before.read_bytes() == after.read_bytes(), name


def test_files_of_train_rows_and_side_files_stay(tmp_path: Path) -> None:
    new = tasks.crystals(tmp_path)
    (new.folder / "elements.csv").write_text("element,mass\nGa,69.7\nAl,27.0\n", encoding="utf-8")
    _, _, staged, _ = put(new, tmp_path)
    for name in ("train.csv", "elements.csv", *(f"train/{number}/geometry.xyz" for number in range(1, 31))):
        assert (staged / name).read_bytes() == (new.folder / name).read_bytes()
    assert (staged / "test/3/geometry.xyz").read_text(encoding="utf-8") == "atom new 3"
    assert pd.read_csv(staged / "test.csv")["id"].tolist() == [400, 3]


def test_a_path_is_written_as_it_is_in_the_input(tmp_path: Path) -> None:
    _, _, staged, rows = put(tasks.sounds(tmp_path), tmp_path)
    assert pd.read_csv(staged / "test.csv")["file"].tolist() == ["audio/x.wav"]
    assert rows.cells["file"].tolist() == ["x.wav"]


def test_arrays_of_train_stay_and_ids_of_new_rows_are_written(tmp_path: Path) -> None:
    new = tasks.arrays(tmp_path / "one")
    _, changed, staged, _ = put(new, tmp_path / "one")
    written = {array.key: read_array(staged, array) for array in list_arrays(staged, "data.npz")}
    before = np.load(new.folder / "data.npz")
    assert np.array_equal(written["x_test"], new.rows)
    assert changed.spec.test_rows == 3
    assert all(np.array_equal(written[name], before[name]) for name in ("x_train", "y_train"))
    _, _, staged, _ = put(tasks.arrays_with_ids(tmp_path / "ids"), tmp_path / "ids")
    assert np.load(staged / "test.npz")["id"].tolist() == [70, 60]
    assert pd.read_csv(staged / "sample_submission.csv")["id"].tolist() == [70, 60]


def test_arrays_without_ids_get_some(tmp_path: Path) -> None:
    new = tasks.arrays_with_ids(tmp_path)
    task = Task.load(new.folder)
    rows = read(task, {"image": np.zeros((2, 6, 6))}, None, tmp_path / "given")
    stage(task, None, tmp_path / "real")
    put_new(task, row_spec(task), tmp_path / "real", rows)
    assert np.load(tmp_path / "real/test.npz")["id"].tolist() == [41, 42]


def test_an_archive_is_read_like_its_folder(tmp_path: Path) -> None:
    new = tasks.labelled_files(tmp_path)
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        for path in sorted(new.rows.iterdir()):
            archive.write(path, f"new/pictures/{path.name}")
    rows = read(Task.load(new.folder), tmp_path / "new.zip", None, tmp_path / "given")
    assert rows.cells["id"].tolist() == new.ids
    assert {asset.name for asset in rows.assets} == new.staged


def test_pictures_from_pictures_get_a_line_for_each_pixel(tmp_path: Path) -> None:
    task = tasks.describe(tmp_path / "task", "Predict the `value` of every pixel, from 0 to 1. Metric: RMSE.")
    for number in range(12):
        tasks.write_picture(task / ("train" if number < 9 else "test") / f"{number}.png", number)
        if number < 9:
            tasks.write_picture(task / "train_cleaned" / f"{number}.png", 2 * number)
    lines = [f"{number}_{row}_{column}" for number in (10, 11, 9) for row in range(1, 7) for column in range(1, 7)]
    pd.DataFrame({"id": lines, "value": 1}).to_csv(task / "sample_submission.csv", index=False)
    tasks.write_picture(tmp_path / "new" / "21.png", 3)
    new = NewRowTask(task, tmp_path / "new", None, {"test/21.png"}, [])
    _, changed, staged, _ = put(new, tmp_path)
    assert {name for name in list_files(staged) if name.startswith("test/")} == {"test/21.png"}
    sample = pd.read_csv(staged / "sample_submission.csv")
    assert sample["id"].tolist()[:2] == ["21_1_1", "21_1_2"]
    assert len(sample) == 36
    sample.assign(value=0.25).to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(changed, tmp_path / "submission.csv") == ""


def test_a_row_without_its_file_and_a_file_without_its_row_are_named(tmp_path: Path) -> None:
    new = tasks.crystals(tmp_path)
    assert new.files is not None
    assert "rows of this task have files ('test/ by id'): give their folder" in refused(
        NewRowTask(new.folder, new.rows, None, set(), [])
    )
    alone = refused(new, new.rows[:1])
    assert "the file '3/geometry.xyz' of" in alone
    assert "belongs to no row: add its row, or move it away" in alone
    (new.files / "400" / "geometry.xyz").unlink()
    assert "the row '400' in column 'id' has no file '400/geometry.xyz' in" in refused(new)


def test_a_file_of_a_train_row_is_never_replaced(tmp_path: Path) -> None:
    new = tasks.leaves(tmp_path)
    assert new.files is not None
    (new.files / "90.png").rename(new.files / "7.png")
    taken = NewRowTask(new.folder, new.rows.assign(id=[7, 35]), new.files, set(), [])
    with pytest.raises(UserError, match=r"'images/7.png' is a file of the task already, of a row of train"):
        put(taken, tmp_path)


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("0500.jpg", 6, r"'0500.jpg' ends in '.jpg'; the files of the task end in '.png'"),
        ("0502.png", 7, r"'0502.png' is of another kind than the files of the task: size 7 x 7, not 6 x 6"),
        ("deep/0502.png", 6, r"'deep/0502.png' is in a folder of its own, which files of the task are not"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, name: str, side: int, message: str) -> None:
    new = tasks.labelled_files(tmp_path)
    tasks.write_picture(new.rows / name, 1, side)
    assert message in refused(new)


def test_what_is_no_picture_inside_is_named(tmp_path: Path) -> None:
    new = tasks.labelled_files(tmp_path)
    (new.rows / "0500.png").write_text("text", encoding="utf-8")
    assert "'0500.png' is of another kind than the files of the task: format unknown, not PNG" in refused(new)
    sounds = tasks.sounds(tmp_path / "sounds")
    assert sounds.files is not None
    tasks.write_sound(sounds.files / "x.wav", 1, rate=16000)
    assert "rate 16000 Hz, not 8000 Hz" in refused(sounds)


@pytest.mark.parametrize(
    ("suffix", "size"), [("png", "9 x 4"), ("jpg", "9 x 4"), ("gif", "9 x 4"), ("bmp", "9 x 4"), ("tiff", None)]
)
def test_the_size_of_a_picture_is_read_from_its_header(tmp_path: Path, suffix: str, size: str | None) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.new("RGB", (9, 4)).save(path)
    assert read_facts(path).get("size") == size
    path.write_bytes(path.read_bytes()[:8])
    assert read_facts(path).keys() == {"format"}


def test_the_shape_of_an_array_is_read_from_its_header(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 3), dtype=np.float32))
    facts = {"format": "npy", "kind": "f", "dimensions": "2", "row": "3", "shape": "5 x 3"}
    assert read_facts(tmp_path / "a.npy") == facts


@pytest.mark.parametrize("path", ["../x.wav", "/etc/x.wav", "audio/../../x.wav", "a\\x.wav", "audio//x.wav"])
def test_paths_that_leave_the_folder_are_named(tmp_path: Path, path: str) -> None:
    new = tasks.sounds(tmp_path)
    assert "in column 'file' leads out of the folder of the files" in refused(new, new.rows.assign(file=path))


def test_ids_with_slashes_and_ids_that_occur_twice_are_named(tmp_path: Path) -> None:
    new = tasks.labelled_files(tmp_path / "one")
    slash = pd.DataFrame({"id": ["a/0500", "0501"]})
    assert "'a/0500' in column 'id' has a slash, which names of the task have not" in refused(new, slash, new.rows)
    twice = pd.DataFrame({"id": ["0500", "0500"]})
    assert "the id '0500' in column 'id' occurs twice" in refused(new, twice, new.rows)
    other = tasks.class_folders(tmp_path / "two")
    tasks.write_picture(other.folder / "train" / "odd" / "x.gif")
    shutil.copy(other.rows / "a.png", other.rows / "A.png")
    assert len(read(Task.load(other.folder), other.rows, None, tmp_path / "given").cells) == 3


def test_links_out_of_the_folder_and_pipes_are_not_read(tmp_path: Path) -> None:
    new = tasks.labelled_files(tmp_path)
    secret = tmp_path / "secret.png"
    tasks.write_picture(secret, 1)
    (new.rows / "0502.png").symlink_to(secret)
    assert "0502.png is a link to something outside the folder" in refused(new)


def test_files_are_refused_where_rows_have_none(tmp_path: Path) -> None:
    folder = tasks.describe(tmp_path / "task")
    frame = pd.DataFrame({"id": range(40), "width": np.arange(40) / 7, "kind": map(tasks.kind, range(40))})
    frame[:30].to_csv(folder / "train.csv", index=False)
    frame[30:].drop(columns="kind").to_csv(folder / "test.csv", index=False)
    new = NewRowTask(folder, frame[30:], folder, set(), [])
    assert "rows of this task are those of a table and have no files: give the file of a table" in refused(new)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 6, 7), np.int64), "the array 'x' has the shape 3 x 6 x 7; that of the task is x_test int64 10"),
        (np.zeros((3, 6, 6)), "the array 'x' has values of the type float64, not int64"),
        (np.zeros((0, 6, 6), np.int64), "the arrays have no rows"),
        ({"picture": np.zeros((3, 6, 6), np.int64), "z": np.zeros(3)}, "there is no array 'x', in the task x_test"),
        (pd.DataFrame({"x": [1]}), "rows of this task are arrays, not rows of a table"),
    ],
)
def test_arrays_of_another_form_are_named(tmp_path: Path, rows: Any, message: str) -> None:
    assert message in refused(tasks.arrays(tmp_path), rows)


def test_arrays_of_different_lengths_and_ids_twice_are_named(tmp_path: Path) -> None:
    new = tasks.arrays_with_ids(tmp_path)
    rows = {"id": np.array([5, 5]), "image": np.zeros((2, 6, 6))}
    assert "the id '5' in column 'id' occurs twice" in refused(new, rows)
    rows["id"] = np.array([5])
    assert "the arrays have different numbers of rows: 'id' has 1, 'image' has 2" in refused(new, rows)


def test_arrays_that_are_not_needed_are_left_out_with_a_note(tmp_path: Path) -> None:
    new, notes = tasks.arrays(tmp_path), list[str]()
    rows = read(Task.load(new.folder), new.folder / "data.npz", None, tmp_path / "given", notes)
    assert len(rows.arrays["x"]) == 10  # of test, not of train
    assert not notes
    read(Task.load(new.folder), {"x": new.rows, "spare": np.zeros(3)}, None, tmp_path / "given", notes)
    assert notes == ["new rows: left out: the arrays 'spare'"]
