"""Pictures that are predicted from pictures, with a submission of pixels."""

import gzip
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import Grader, Holdout, check_submission, manifest, stage
from tests.unit.layout_folders import list_files, stage_search

Pictures = dict[str, np.ndarray]


def make_pictures(names: Sequence[int], seed: int) -> Pictures:
    """Return pictures of two sizes."""
    rng = np.random.default_rng(seed)
    return {str(name): rng.integers(0, 256, (4 + name % 2, 6), dtype=np.uint8) for name in names}


def save(folder: Path, pictures: Pictures) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")


def lines_of(pictures: Pictures, order: Sequence[str], *, by_columns: bool = False) -> Iterator[tuple[str, float]]:
    for name in order:
        height, width = pictures[name].shape
        places = [(row, column) for row in range(height) for column in range(width)]
        if by_columns:
            places.sort(key=lambda place: place[::-1])
        for row, column in places:
            yield f"{name}_{row + 1}_{column + 1}", pictures[name][row, column] / 255


def make_task(folder: Path, *, sample: str = "sampleSubmission.csv", by_columns: bool = False) -> Task:
    """Write a task of 40 labelled and 12 other pictures, with the answers of three others lying in the wrong folder."""
    clean, test = make_pictures(range(100, 140), 0), make_pictures(range(5, 17), 1)
    save(folder / "train", {name: pixels // 2 for name, pixels in clean.items()})
    save(folder / "train_cleaned", clean | {name: test[name] for name in ("5", "6", "7")})
    save(folder / "test", {name: pixels // 2 for name, pixels in test.items()})
    rows = [(identity, 1) for identity, _ in lines_of(test, sorted(test), by_columns=by_columns)]
    text = pd.DataFrame(rows, columns=["id", "value"]).to_csv(index=False)
    path = folder / sample
    if sample.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("sampleSubmission.csv", text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if sample.endswith(".gz") else text.encode())
    return Task.load(folder, metric="rmse")


def answers(task: Task, holdout: Holdout, *, by_columns: bool = False) -> pd.DataFrame:
    """Return the right submission for a holdout."""
    names = task.train.rows["id"].iloc[holdout.withheld]
    clean = {name: np.asarray(Image.open(task.input / f"train_cleaned/{name}.png")) for name in names}
    return pd.DataFrame(lines_of(clean, list(names), by_columns=by_columns), columns=["id", "value"])


@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("sample", ["sampleSubmission.csv", "sampleSubmission.csv.gz", "sampleSubmission.csv.zip"])
def test_a_holdout_is_pictures_and_their_lines_in_the_form_of_the_real_sample(
    sample: str, by_columns: bool, tmp_path: Path
) -> None:
    task = make_task(tmp_path / "task", sample=sample, by_columns=by_columns)
    assert (task.spec.layout, task.spec.train_rows, task.spec.test_rows) == ("file to file", 40, 12)
    holdout = stage_search(task, tmp_path / "input")
    names = task.train.rows["id"].to_numpy()
    kept, withheld = ({f"{name}.png" for name in names[rows]} for rows in (holdout.train, holdout.withheld))
    for folder, expected in {"train": kept, "train_cleaned": kept, "test": withheld}.items():
        assert {path.name for path in (tmp_path / "input" / folder).iterdir()} == expected
        source = "train" if folder == "test" else folder
        for name in expected:
            staged = (tmp_path / "input" / folder / name).read_bytes()
            assert staged == (tmp_path / "task" / source / name).read_bytes()
    staged_sample = pd.read_csv(tmp_path / "input" / sample.removesuffix(".zip"))
    right = answers(task, holdout, by_columns=by_columns)
    assert list(staged_sample["id"]) == list(right["id"])
    assert set(staged_sample["value"]) == {1}
    assert list(staged_sample) == ["id", "value"]


@pytest.mark.parametrize("by_columns", [False, True])
def test_a_right_submission_is_graded_as_perfect_in_any_order(by_columns: bool, tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", by_columns=by_columns)
    holdout = stage_search(task, tmp_path / "input")
    right = answers(task, holdout, by_columns=by_columns)
    grader = Grader(task, holdout)
    for number, frame in enumerate((right, right.sample(frac=1.0, random_state=0))):
        frame.to_csv(tmp_path / f"{number}.csv", index=False)
        assert grader.grade(tmp_path / f"{number}.csv").score == pytest.approx(0.0, abs=1e-9)
    right.assign(value=1 - right["value"]).to_csv(tmp_path / "wrong.csv", index=False)
    grade = grader.grade(tmp_path / "wrong.csv")
    assert grade.score == pytest.approx(float(np.sqrt(np.mean((1 - 2 * right["value"]) ** 2))))
    assert grade.standard_error
    assert grader.compare(tmp_path / "0.csv", tmp_path / "wrong.csv").probability_better == 1.0


def test_pictures_are_resampled_as_a_whole(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    holdout = stage_search(task, tmp_path / "input")
    grader = Grader(task, holdout)
    sizes = [24 + 6 * (int(name) % 2) for name in task.train.rows["id"].iloc[holdout.withheld]]
    assert list(pd.Series(grader.units).value_counts(sort=False)) == sizes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.iloc[:-3], "lines instead of"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "more than"),
        (lambda frame: frame.assign(id=["1_1_1", *frame["id"].iloc[1:]]), "row 1: '1_1_1' is no id of the sample"),
        (lambda frame: frame.assign(id=[*frame["id"].iloc[:-1], frame["id"].iloc[0]]), "duplicate id"),
        (lambda frame: frame.assign(value=["x", *frame["value"].iloc[1:]]), "row 1: 'x' is not a number"),
        (lambda frame: frame[["id"]], "no column 'value'"),
        (lambda frame: frame.assign(id=[f"{name}a" for name in frame["id"]]), "is no id of the sample"),
    ],
)
def test_a_wrong_submission_is_rejected_with_the_place(change: object, message: str, tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    holdout = stage_search(task, tmp_path / "input")
    assert callable(change)
    change(answers(task, holdout)).to_csv(tmp_path / "wrong.csv", index=False)
    grade = Grader(task, holdout).grade(tmp_path / "wrong.csv")
    assert grade.score is None
    assert message in grade.problem


def test_the_submission_for_the_real_pictures_is_checked(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    sample = pd.read_csv(tmp_path / "task/sampleSubmission.csv")
    sample.assign(value=0.5).to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(task, tmp_path / "submission.csv") == ""
    sample.iloc[1:].to_csv(tmp_path / "submission.csv", index=False)
    assert f"{len(sample) - 1} lines instead of {len(sample)}" in check_submission(task, tmp_path / "submission.csv")


def test_answers_without_a_partner_are_in_no_input(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    line = (
        "3 files of train_cleaned/ have no partner in train/, so they may be answers of test/: no input contains them"
    )
    assert line in task.notes
    stage_search(task, tmp_path / "input")
    stage(task, None, tmp_path / "real")
    for folder in ("input", "real"):
        assert not {f"train_cleaned/{name}.png" for name in "567"} & list_files(tmp_path / folder)
    assert len(list((tmp_path / "real/train_cleaned").iterdir())) == 40


def test_equal_rows_are_staged_as_equal_bytes(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", sample="sampleSubmission.csv.gz")
    stage_search(task, tmp_path / "one")
    stage_search(task, tmp_path / "two")
    assert manifest(tmp_path / "one") == manifest(tmp_path / "two")


def test_agents_read_which_picture_is_the_answer_and_what_a_line_is(tmp_path: Path) -> None:
    note = make_task(tmp_path / "task").spec.layout_note
    assert "the answer to the picture train/NAME is the picture of the same name in train_cleaned/" in note
    assert "id is NAME_ROW_COLUMN without the suffix, counted from 1 at the top left" in note
    assert "row by row; value is from 0 (black) to 1 (white)" in note


def test_a_sample_of_other_pictures_is_refused(tmp_path: Path) -> None:
    make_task(tmp_path / "task")
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(tmp_path / "task/test/10.png")
    with pytest.raises(TaskError, match=r"sampleSubmission.csv has \d+ lines, but the 12 pictures of test/ have \d+"):
        Task.load(tmp_path / "task", metric="rmse")


def test_pillow_is_asked_for_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_task(tmp_path / "task")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(TaskError, match=r"^reading pictures .* needs Pillow: pip install 'mlestar\[images\]'$"):
        Task.load(tmp_path / "task", metric="rmse")


def test_lines_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlestar.evaluation.line_submission._PIECE", 7)
    task = make_task(tmp_path / "task")
    holdout = stage_search(task, tmp_path / "input")
    right = answers(task, holdout)
    repeated = pd.concat([right.iloc[7:14], right.iloc[7:]])
    repeated.to_csv(tmp_path / "wrong.csv", index=False)
    assert "7 ids of the sample submission are missing" in Grader(task, holdout).grade(tmp_path / "wrong.csv").problem
    right.to_csv(tmp_path / "right.csv", index=False)
    assert Grader(task, holdout).grade(tmp_path / "right.csv").score == pytest.approx(0.0, abs=1e-9)
