"""Tables whose rows name files in other ways than by the plain name of a file in one folder."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import TaskError
from tests.unit.layout_folders import list_files, stage_search, write_files, write_table

ROWS = 160
TRAIN = 120
KINDS = [("cat", "dog")[row % 2] for row in range(ROWS)]

Name = Callable[[int], str]


def labelled(folder: Path, cell: Name, file: Name, *, table: str = "train.csv", column: str = "id") -> Path:
    """Write labels of train, a sample submission, and a file for each row below `train/` or `test/`."""
    rows = pd.DataFrame({column: [cell(row) for row in range(ROWS)], "kind": KINDS})
    write_table(folder / table, rows[:TRAIN])
    write_table(folder / "sample_submission.csv", rows[TRAIN:].assign(kind="cat"))
    write_files(folder, [f"{'train' if row < TRAIN else 'test'}/{file(row)}" for row in range(ROWS)])
    return folder


SPELLINGS: dict[str, tuple[Name, Name]] = {
    "dots in the id": (lambda row: f"1.2.826.{row * 7919}", lambda row: f"1.2.826.{row * 7919}.jpg"),
    "two suffixes": (lambda row: f"scan{row}", lambda row: f"scan{row}.nii.gz"),
    "zeros before the number": (str, lambda row: f"{row:05d}.jpg"),
    "the other case": (lambda row: f"img{row}.jpg", lambda row: f"IMG{row}.JPG"),
    "folders of folders": (lambda row: f"{row * 7919:08x}", lambda row: f"{row % 7}/{row % 3}/{row * 7919:08x}.jpg"),
    "spaces": (lambda row: f"a b c d {row}.jpg", lambda row: f"a b c d {row}.jpg"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_file_is_found_by_what_a_row_has_of_its_name(spelling: str, tmp_path: Path) -> None:
    cell, file = SPELLINGS[spelling]
    task = Task.load(labelled(tmp_path / "task", cell, file), metric="accuracy")
    assert (task.spec.layout, task.spec.id, task.spec.target) == ("labelled files", "id", ("kind",))
    holdout = stage_search(task, tmp_path / "input")
    files = list_files(tmp_path / "input")
    for rows, folder in ((holdout.train, "train"), (holdout.withheld, "test")):
        assert {name for name in files if name.startswith(f"{folder}/")} == {f"{folder}/{file(row)}" for row in rows}


def test_labels_may_be_in_a_table_that_is_not_named_train(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "task", lambda row: f"{row:04x}", lambda row: f"{row:04x}.jpg", table="labels.csv")
    classes = pd.read_csv(folder / "sample_submission.csv", dtype=str)[["id"]].assign(cat=0.5, dog=0.5)
    write_table(folder / "sample_submission.csv", classes)
    task = Task.load(folder, metric="log_loss")
    assert (task.spec.train, task.spec.target, task.spec.train_rows) == ("labels.csv", ("kind",), TRAIN)
    assert "train: labels.csv (its rows name files)" in task.notes
    holdout = stage_search(task, tmp_path / "input")
    assert len(pd.read_csv(tmp_path / "input/labels.csv")) == len(holdout.train)


def test_a_list_of_the_files_with_their_classes_says_more_than_class_folders(tmp_path: Path) -> None:
    names = [f"{row}.jpg" for row in range(ROWS)]
    listed = pd.DataFrame({"subject": [f"p{row // 10}" for row in range(ROWS)], "kind": KINDS, "img": names})
    write_table(tmp_path / "drivers.csv", listed[:TRAIN])
    write_table(tmp_path / "sample_submission.csv", listed[["img"]][TRAIN:].assign(cat=0.5, dog=0.5))
    folders = [f"train/{KINDS[row]}" if row < TRAIN else "test" for row in range(ROWS)]
    write_files(tmp_path, [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)])
    task = Task.load(tmp_path, metric="log_loss")
    assert (task.spec.train, task.spec.target, task.spec.train_only) == ("drivers.csv", ("kind",), ("subject",))


def test_the_names_of_numbered_classes_leave_class_folders_alone(tmp_path: Path) -> None:
    write_table(tmp_path / "labels.csv", pd.DataFrame({"ClassId": range(6), "Name": list("abcdef")}))
    write_files(tmp_path, [f"train/{row % 6}/{row}.jpg" for row in range(TRAIN)])
    assert Task.load(tmp_path, metric="accuracy").spec.layout == "class folders"


def test_a_list_of_files_without_labels_leaves_class_folders_alone(tmp_path: Path) -> None:
    write_table(tmp_path / "sizes.csv", pd.DataFrame({"img": [f"{row}.jpg" for row in range(TRAIN)], "width": 8}))
    write_table(tmp_path / "sample_submission.csv", pd.DataFrame({"img": ["900.jpg", "901.jpg"], "kind": "cat"}))
    write_files(tmp_path, [*(f"train/{KINDS[row]}/{row}.jpg" for row in range(TRAIN)), "test/900.jpg", "test/901.jpg"])
    assert Task.load(tmp_path, metric="accuracy").spec.layout == "class folders"


def test_numbers_as_names_show_no_classes(tmp_path: Path) -> None:
    write_table(
        tmp_path / "data.csv", pd.DataFrame({"photo": [f"{row}.jpg" for row in range(TRAIN)], "kind": KINDS[:TRAIN]})
    )
    write_files(tmp_path, [f"photos/{row}.jpg" for row in range(TRAIN)])
    task = Task.load(tmp_path, metric="accuracy", target=("kind",))
    assert (task.spec.layout, task.spec.target, task.spec.modality) == ("single table", ("kind",), "image")


def test_numbers_as_names_without_a_table_are_no_task(tmp_path: Path) -> None:
    write_files(tmp_path, [f"train/{row}.jpg" for row in range(TRAIN)])
    with pytest.raises(TaskError):
        Task.load(tmp_path, metric="accuracy")
