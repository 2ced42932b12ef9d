"""Files with their class in the path: class folders, and names that begin with the class."""

import re
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pytest

from mlestar.data.layouts.class_in_name import find_division
from mlestar.data.layouts.made_up import make_up_names
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import check_submission, stage
from tests.unit.layout_folders import grade, list_files, stage_search, withheld_cells, write_files, write_table

TEST_NAMES = [f"{number}.jpg" for number in range(1, 41)]
COUNTS = {"cat": 60, "dog": 80}
FOLDERS = sorted(f"train/{name}/{number}.jpg" for name, count in COUNTS.items() for number in range(count))
NAMES = sorted(f"train/{name}.{number}.jpg" for name, count in COUNTS.items() for number in range(count))


def make(folder: Path, files: list[str], sample: pd.DataFrame | None = None, /, **overrides: Any) -> Task:
    write_files(folder, files)
    if sample is not None:
        write_table(folder / "sample_submission.csv", sample)
    return Task.load(folder, **{"metric": "accuracy", **overrides})


def class_of(file: str) -> str:
    """Return the class in the path of a generated file."""
    match = re.search(r"cat|dog", file)
    assert match
    return match[0]


def sample_of(test: list[str], form: str) -> pd.DataFrame:
    ids = {
        "name": [PurePosixPath(name).name for name in test],
        "stem": [PurePosixPath(name).stem for name in test],
        "path": test,
    }
    return pd.DataFrame({"image": ids[form], "animal": "cat"})


# In the form of the real input, and nothing of the class


@pytest.mark.parametrize("form", ["name", "stem", "path", None])
@pytest.mark.parametrize("train", [FOLDERS, NAMES])
def test_withheld_files_are_staged_as_test_files(train: list[str], form: str | None, tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    task = make(tmp_path / "task", [*train, *test], sample_of(test, form) if form else None)
    assert (task.spec.train_rows, task.spec.test_rows, task.spec.classes) == (140, 40, ("cat", "dog"))
    assert task.spec.target == (("animal",) if form else ("label",))
    holdout = stage_search(task, tmp_path / "input")
    files = list_files(tmp_path / "input")
    kept, withheld = ({train[row] for row in rows} for rows in (holdout.train, holdout.withheld))
    assert {file for file in files if file.startswith("train/")} == kept
    staged_test = {file for file in files if file.startswith("test/")}
    assert all(re.fullmatch(r"test/\d+\.jpg", file) for file in staged_test)
    contents = {(tmp_path / "input" / file).read_text() for file in staged_test}
    assert contents == {f"content of {file}" for file in withheld}
    # The id of each withheld row leads to its file.
    for row in holdout.withheld:
        identity = task.train.rows.iloc[row, 0]
        path = {"stem": f"test/{identity}.jpg", "path": identity}.get(form or "name", f"test/{identity}")
        assert (tmp_path / "input" / path).read_text() == f"content of {train[row]}"
    assert not staged_test & set(test)


def test_neither_number_nor_order_of_made_up_names_tells_the_class(tmp_path: Path) -> None:
    task = make(tmp_path / "task", FOLDERS)
    holdout = stage_search(task, tmp_path / "input")
    names = sorted((tmp_path / "input/test").iterdir(), key=lambda path: int(path.stem))
    labels = [class_of(path.read_text()) == "dog" for path in names]
    changes = sum(left != right for left, right in pairwise(labels))
    assert len(labels) == len(holdout.withheld) > 10
    assert changes > len(labels) / 5  # in the order of the classes there is one change


@pytest.mark.parametrize("train", [FOLDERS, NAMES])
def test_a_right_submission_is_graded_as_perfect(train: list[str], tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    task = make(tmp_path / "task", [*train, *test], sample_of(test, "stem"))
    holdout = stage_search(task, tmp_path / "input")
    right = withheld_cells(task, holdout)
    assert grade(task, holdout, right, tmp_path / "right.csv") == 1.0
    staged = pd.read_csv(tmp_path / "input/sample_submission.csv", dtype=str)
    assert list(staged) == ["image", "animal"]
    assert list(staged["image"]) == list(right["image"])
    wrong = right.assign(animal=right["animal"].map({"cat": "dog", "dog": "cat"}))
    assert grade(task, holdout, wrong, tmp_path / "wrong.csv") == 0.0


def test_the_submission_for_the_real_test_files_is_checked(tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    task = make(tmp_path / "task", [*FOLDERS, *test], sample_of(test, "name"))
    stage(task, None, tmp_path / "input")
    assert list_files(tmp_path / "input") == {*FOLDERS, *test, "sample_submission.csv"}
    path = tmp_path / "submission.csv"
    submission = sample_of(test, "name").assign(animal=["cat", "dog"] * 20)
    submission.to_csv(path, index=False)
    assert check_submission(task, path) == ""
    submission.assign(image=submission.image.replace("1.jpg", "999.jpg")).to_csv(path, index=False)
    assert "'999.jpg' is no id of the test file" in check_submission(task, path)


def test_a_column_for_each_class(tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    sample = pd.DataFrame({"id": TEST_NAMES, "prob_cat": 0.4, "prob_dog": 0.3, "prob_emu": 0.3})
    train = [*FOLDERS, *(f"train/emu/{number}.jpg" for number in range(30))]
    task = make(tmp_path / "task", [*train, *test], sample, metric="log_loss")
    assert task.spec.prediction_columns == ("prob_cat", "prob_dog", "prob_emu")
    assert task.spec.target == ("label",)


# Without test files


@pytest.mark.parametrize(
    "files",
    [FOLDERS, NAMES, [file.removeprefix("train/") for file in FOLDERS], [f"data/{file}" for file in FOLDERS]],
)
def test_labelled_files_are_enough(files: list[str], tmp_path: Path) -> None:
    task = make(tmp_path / "task", files)
    assert (task.spec.has_test, task.spec.test_rows, task.spec.id) == (False, 0, "id")
    assert task.spec.auxiliary == ()
    holdout = stage_search(task, tmp_path / "input")
    staged = list_files(tmp_path / "input")
    names = {file for file in staged if re.fullmatch(r"test/\d+\.jpg", file)}
    assert staged - names == {files[row] for row in holdout.train}
    assert len(names) == len(holdout.withheld)
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 1.0


def test_the_real_input_without_test_files_has_some_of_train(tmp_path: Path) -> None:
    task = make(tmp_path / "task", FOLDERS)
    stage(task, None, tmp_path / "input")
    names = sorted(path.name for path in (tmp_path / "input/test").iterdir())
    assert len(names) == 52  # 37 % of train
    pd.DataFrame({"id": names, "label": "cat"}).to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(task, tmp_path / "submission.csv") == ""


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (FOLDERS, [f"test/{name}/{number}.jpg" for name in ("cat", "dog") for number in range(9)]),
        (NAMES, [f"test/{name}.{number}.jpg" for name in ("cat", "dog") for number in range(9)]),
    ],
)
def test_test_files_with_their_class_in_the_path_are_never_staged(
    train: list[str], test: list[str], tmp_path: Path
) -> None:
    sample = sample_of(test, "path")
    task = make(tmp_path / "task", [*train, *test], sample)
    assert not task.spec.has_test
    line = "the files of test/ have their class in their paths: no input contains test/ and sample_submission.csv"
    assert line in task.notes
    holdout = stage_search(task, tmp_path / "input")
    stage(task, None, tmp_path / "real")
    for folder in ("input", "real"):
        staged = list_files(tmp_path / folder)
        assert not staged & set(test)
        assert "sample_submission.csv" not in staged
        texts = [(tmp_path / folder / file).read_text() for file in staged]
        assert all(text.startswith("content of train/") for text in texts)
    assert len(list((tmp_path / "input/test").iterdir())) == len(holdout.withheld)
    assert "test/cat" not in str(task.statistics)


# Which files are rows


def test_a_labelled_validation_folder_counts_as_train(tmp_path: Path) -> None:
    valid = [f"valid/{name}/{number}.jpg" for name in ("cat", "dog") for number in range(20)]
    task = make(tmp_path / "task", [*FOLDERS, *valid, *(f"test/{name}" for name in TEST_NAMES)])
    assert task.spec.train_rows == 180
    assert "the files of valid/ are labelled too, and count as train" in task.notes
    assert "valid/ are labelled too" in task.spec.layout_note
    holdout = stage_search(task, tmp_path / "input")
    rows = [*FOLDERS, *sorted(valid)]
    staged = list_files(tmp_path / "input")
    assert {file for file in staged if file.startswith("valid/")} == {
        rows[row] for row in holdout.train if rows[row].startswith("valid/")
    }


def test_unlabelled_files_are_staged_as_they_are(tmp_path: Path) -> None:
    files = [f"train/{name}/{number}.txt" for name in ("pos", "neg", "unsup") for number in range(60)]
    task = make(tmp_path / "task", files)
    assert (task.spec.train_rows, task.spec.classes, task.spec.modality) == (120, ("neg", "pos"), "text")
    stage_search(task, tmp_path / "input")
    assert len(list((tmp_path / "input/train/unsup").iterdir())) == 60


@pytest.mark.parametrize(("suffix", "modality"), [("wav", "audio"), ("png", "image"), ("txt", "text")])
def test_the_modality_is_that_of_the_files(suffix: str, modality: str, tmp_path: Path) -> None:
    task = make(tmp_path / "task", [f"{name}/{number}.{suffix}" for name in ("a", "b") for number in range(30)])
    assert task.spec.modality == modality


def test_files_below_a_class_folder_have_its_class(tmp_path: Path) -> None:
    files = [f"train/{name}/{part}/{number}.jpg" for name in ("cat", "dog") for part in "xy" for number in range(20)]
    task = make(tmp_path / "task", files)
    assert list(task.train.rows["label"].value_counts()) == [40, 40]


def test_real_names_that_tell_groups_are_a_field(tmp_path: Path) -> None:
    train = [f"train/{name}/s{speaker}_{name}{take}.wav" for name in ("no", "yes") for speaker in range(30)
             for take in range(4)]  # fmt: skip
    test = [f"test/s{speaker}_{number}.wav" for speaker in range(30, 45) for number in range(8)]
    files = [file.replace("_no", "_1").replace("_yes", "_2") for file in train]
    task = make(tmp_path / "task", [*files, *test])
    assert task.train.columns == ("id", "name", "label")
    holdout = stage_search(task, tmp_path / "input")
    speakers = task.train.rows["name"].str.split("_").str[0].to_numpy()
    assert not set(speakers[holdout.train]) & set(speakers[holdout.withheld])
    staged = {path.name for path in (tmp_path / "input/test").iterdir()}
    assert not staged & {PurePosixPath(file).name for file in files}


def test_numbers_of_classes_are_read_from_the_description(tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    write_files(tmp_path / "task", [*FOLDERS, *test])
    (tmp_path / "task/task.md").write_text("Is it a dog (1 = dog, 0 = cat)? Log loss.")
    write_table(tmp_path / "task/sample_submission.csv", pd.DataFrame({"id": range(1, 41), "label": 0.5}))
    task = Task.load(tmp_path / "task")
    assert (task.spec.classes, task.spec.pos_label) == (("0", "1"), "1")
    assert list(task.train.rows["label"].value_counts().loc[["0", "1"]]) == [60, 80]


def test_ids_without_a_file_are_named(tmp_path: Path) -> None:
    test = [f"test/{name}" for name in TEST_NAMES]
    sample = pd.DataFrame({"id": [f"picture{number}" for number in range(40)], "label": "cat"})
    with pytest.raises(TaskError, match=r"sample_submission.csv names 'picture0', but test/ has no such file"):
        make(tmp_path / "task", [*FOLDERS, *test], sample)


# What is no class


@pytest.mark.parametrize(
    "files",
    [
        [f"train/{name}/{number}.png" for name in ("images", "masks") for number in range(30)],
        [f"train/img_{number}.png" for number in range(60)],
        [f"train/{name}_{number}.png" for name in ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op") for number in "12"],
        [f"year={year}/part{number}.txt" for year in (2020, 2021) for number in range(9)],
    ],
)
def test_other_files_have_no_classes(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no t"):
        make(tmp_path / "task", files)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat.0", "cat"),
        ("dog_12", "dog"),
        ("dog-0001", "dog"),
        ("great_pyrenees_107", "great_pyrenees"),
        ("n01440764_10026", "n01440764"),
        ("cat (3)", "cat"),
        ("cat7", "cat"),
    ],
)
def test_a_class_ends_before_the_number(name: str, label: str) -> None:
    others = [re.sub(r"\d+(?=\)?$)", str(number), name) for number in range(8)]
    divide = find_division([*others, *(f"other_{number}" for number in range(8))])
    assert divide is not None
    assert divide(name)[0] == label


def test_a_class_ends_before_another_id() -> None:
    divide = find_division([f"{word}-{number:x}_a_0" for word in ("yes", "no") for number in range(700, 750)])
    assert divide is not None
    assert divide("yes-2bc_a_0") == ("yes", "2bc_a_0")


def test_a_speaker_between_class_and_number_is_no_part_of_the_class() -> None:
    names = [f"{digit}_{who}_{take}" for digit in range(10) for who in ("jo", "sam") for take in range(5)]
    divide = find_division(names)
    assert divide is not None
    assert divide("7_jo_3") == ("7", "jo_3")


# Made-up names


@pytest.mark.parametrize(
    ("like", "form"),
    [
        (["1", "2", "17"], r"\d+"),
        (["0001", "0017"], r"\d{4}"),
        (["img_001", "img_017"], r"img_\d{3}"),
        (["a3f9", "0be1", "77cd"], r"[0-9a-f]{4}"),
        ([], r"\d{3}"),
    ],
)
def test_made_up_names_are_in_the_form_of_real_ones(like: list[str], form: str) -> None:
    names = make_up_names(60 if like[:1] == ["a3f9"] else 200, like)
    assert len(set(names)) == len(names)
    assert not set(names) & set(like)
    assert sum(bool(re.fullmatch(form, name)) for name in names) > 0.5 * len(names)
    assert names == make_up_names(len(names), like)
