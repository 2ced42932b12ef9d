"""The final submission has the form of the sample; predictions keep their values."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Grader, check_submission, infer_split, search_holdout, stage, write_submission
from tests.unit.holdout_folders import make_rows


def make(folder: Path, target: pd.Series, sample: pd.DataFrame | None, metric: str, *, sep: str = ",") -> Task:
    """Make a task of 90 train rows and 30 test rows with this target, and this sample submission or none."""
    folder.mkdir()
    rows = make_rows(120).assign(label=target)
    decimal = "," if sep == ";" else "."
    rows[:90].to_csv(folder / "train.csv", index=False, sep=sep, decimal=decimal)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False, sep=sep, decimal=decimal)
    if sample is not None:
        sample.to_csv(folder / "sample_submission.csv", index=False, sep=sep, decimal=decimal)
    return Task.load(folder, metric=metric, target="label")


def submit(folder: Path, text: str) -> Path:
    (folder / "submission.csv").write_text(text)
    return folder / "submission.csv"


IDS = list(range(90, 120))
VALUES = pd.Series(np.random.default_rng(0).uniform(0.5, 9, 120).round(2))
BINARY = pd.Series([row % 2 for row in range(120)])


@pytest.mark.parametrize("blank", ["0", "0,5"])
@pytest.mark.parametrize(("sep", "decimal"), [(";", ","), (";", "."), (",", ".")])
def test_a_semicolon_sample_gets_decimal_commas(sep: str, decimal: str, blank: str, tmp_path: Path) -> None:
    sample = pd.DataFrame({"id": IDS, "label": blank})
    task = make(tmp_path / "task", VALUES, sample, "rmse", sep=";")
    assert (task.spec.submission_delimiter, task.spec.submission_decimal) == (";", ",")
    assert task.spec.number_formats == {"label": "1234,5"}
    answer = pd.DataFrame({"id": IDS[::-1], "label": [row + 0.25 for row in range(30)]})
    path = submit(tmp_path, answer.to_csv(index=False, sep=sep, decimal=decimal))
    assert check_submission(task, path) == ""
    lines = write_submission(task, path).splitlines()
    assert lines[:2] == ["id;label", "90;29,25"]
    assert len(lines) == 31


def test_a_submission_in_another_dialect_is_refused_with_the_right_one(tmp_path: Path) -> None:
    sample = pd.DataFrame({"id": IDS, "label": 0})
    task = make(tmp_path / "task", VALUES, sample, "rmse", sep=";")
    answer = pd.DataFrame({"id": IDS, "label": 1.5})
    assert "write ';' between cells" in check_submission(task, submit(tmp_path, answer.to_csv(index=False, sep="|")))
    mixed = answer.astype(str).assign(label=["1,5", *["2.5"] * 29])
    problem = check_submission(task, submit(tmp_path, mixed.to_csv(index=False, sep=";")))
    assert "row 2: '2.5' has a point, but other rows have a decimal comma" in problem


def test_decimal_commas_are_refused_where_the_sample_has_points(tmp_path: Path) -> None:
    task = make(tmp_path / "task", VALUES, pd.DataFrame({"id": IDS, "label": 0.5}), "rmse")
    assert (task.spec.submission_delimiter, task.spec.submission_decimal) == (",", ".")
    answer = pd.DataFrame({"id": IDS, "label": "1,5"})
    assert "is not a number" in check_submission(task, submit(tmp_path, answer.to_csv(index=False)))


@pytest.mark.parametrize(
    ("train", "shown", "submitted", "expected"),
    [
        (["0.0", "1.0"], "0", ["1.0", "0.0"], ["1", "0"]),
        (["0", "1"], "0.0", ["1", "0"], ["1.0", "0.0"]),
        (["TRUE", "FALSE"], "True", ["True", "FALSE"], ["True", "False"]),
        (["True", "False"], "FALSE", ["True", "False"], ["TRUE", "FALSE"]),
        ([" yes", " no"], "yes", ["no", " yes"], ["no", "yes"]),
        (["007", "012"], "007", ["7", "12"], ["007", "012"]),
        (["0.0", "1.0"], None, ["1", "0"], ["1.0", "0.0"]),
        (["TRUE", "FALSE"], None, ["True", "False"], ["TRUE", "FALSE"]),
    ],
)
def test_labels_are_spelled_as_the_sample_or_else_train_does(
    train: list[str], shown: str | None, submitted: list[str], expected: list[str], tmp_path: Path
) -> None:
    target = pd.Series([train[row % 2] for row in range(120)])
    sample = None if shown is None else pd.DataFrame({"id": IDS, "label": shown})
    task = make(tmp_path / "task", target, sample, "accuracy")
    answer = pd.DataFrame({"id": IDS, "label": [submitted[row % 2] for row in range(30)]})
    path = submit(tmp_path, answer.to_csv(index=False))
    assert check_submission(task, path) == ""
    written = [line.split(",")[1] for line in write_submission(task, path).splitlines()[1:]]
    assert written == expected * 15


def test_columns_that_the_sample_copies_are_copied(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    rows = (
        make_rows(120).drop(columns="id").assign(label=BINARY, note=[f'said "{row % 9}", twice' for row in range(120)])
    )
    rows[:90].to_csv(folder / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    sample = rows[90:].assign(label=0)[["label", "colour", "note"]]
    sample.to_csv(folder / "sample_submission.csv", index=False)
    task = Task.load(folder, metric="auroc")
    assert (task.spec.target, task.spec.prediction_columns) == (("label",), ("label",))
    path = submit(tmp_path, pd.DataFrame({"label": np.linspace(0, 1, 30).round(3)}).to_csv(index=False))
    assert check_submission(task, path) == ""
    (tmp_path / "final.csv").write_text(write_submission(task, path))
    final = pd.read_csv(tmp_path / "final.csv")
    assert list(final.columns) == ["label", "colour", "note"]
    assert final["label"].tolist() == np.linspace(0, 1, 30).round(3).tolist()
    pd.testing.assert_frame_equal(final[["colour", "note"]], rows[90:][["colour", "note"]].reset_index(drop=True))


def test_one_copied_column_may_repeat(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    rows = make_rows(120).drop(columns="id").assign(label=BINARY)
    rows[:90].to_csv(folder / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    rows[90:].assign(label=0)[["label", "colour"]].to_csv(folder / "sample_submission.csv", index=False)
    task = Task.load(folder, metric="auroc")
    assert (task.spec.id, task.spec.prediction_columns) == (None, ("label",))
    path = submit(tmp_path, pd.DataFrame({"label": np.linspace(0, 1, 30).round(3)}).to_csv(index=False))
    assert write_submission(task, path).splitlines()[1] == f"0.0,{rows['colour'].iloc[90]}"


def test_sentences_that_the_sample_copies_stay_a_feature(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    rows = (
        make_rows(120).drop(columns="id").assign(label=BINARY, note=[f"a sentence of row {row}" for row in range(120)])
    )
    rows[:90].to_csv(folder / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    rows[90:].assign(label=0)[["label", "note"]].to_csv(folder / "sample_submission.csv", index=False)
    assert Task.load(folder, metric="auroc").spec.id is None


def test_the_staged_sample_copies_the_withheld_rows(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    rows = make_rows(120).drop(columns="id").assign(label=BINARY, note=[f"note {row}" for row in range(120)])
    rows[:90].to_csv(folder / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    rows[90:].assign(label=0)[["label", "colour", "rank"]].to_csv(folder / "sample_submission.csv", index=False)
    task = Task.load(folder, metric="auroc")
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "input")
    sample = pd.read_csv(tmp_path / "input" / "sample_submission.csv")
    withheld = rows.iloc[holdout.withheld][["colour", "rank"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(sample[["colour", "rank"]], withheld)
    assert set(sample["label"]) == {0}


def test_ids_that_differ_by_a_point_are_written_as_the_sample_does(tmp_path: Path) -> None:
    sample = pd.DataFrame({"id": [f"{number}.0" for number in IDS], "label": 0})
    task = make(tmp_path / "task", VALUES, sample, "rmse")
    assert task.spec.id == "id"
    for form in ("{}", "{}.0"):
        answer = pd.DataFrame({"id": [form.format(number) for number in IDS], "label": VALUES[90:]})
        path = submit(tmp_path, answer.to_csv(index=False))
        assert check_submission(task, path) == ""
        assert write_submission(task, path).splitlines()[1].startswith("90.0,")


def test_ids_that_a_point_tells_apart_are_different(tmp_path: Path) -> None:
    sample = pd.DataFrame({"id": ["90", "90.0", *IDS[2:]], "label": 0})
    with pytest.raises(Exception, match="differ in 'id'"):
        make(tmp_path / "task", VALUES, sample, "rmse")


def test_probability_columns_follow_the_sample(tmp_path: Path) -> None:
    target = pd.Series([["lo", "mid", "hi"][row % 3] for row in range(120)])
    sample = pd.DataFrame({"id": IDS, "mid": 0.3, "hi": 0.3, "lo": 0.4})
    task = make(tmp_path / "task", target, sample, "log_loss")
    shuffled = pd.DataFrame({"lo": 0.2, "id": IDS, "hi": 0.5, "mid": np.linspace(0.1, 0.3, 30)})
    path = submit(tmp_path, shuffled.to_csv(index=False))
    assert check_submission(task, path) == ""
    assert write_submission(task, path).splitlines()[:2] == ["id,mid,hi,lo", "90,0.1,0.5,0.2"]


def test_a_staged_holdout_keeps_the_dialect(tmp_path: Path) -> None:
    task = make(tmp_path / "task", VALUES, pd.DataFrame({"id": IDS, "label": 0}), "rmse", sep=";")
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "input")
    assert (tmp_path / "input" / "sample_submission.csv").read_text().startswith("id;label\n")
    answers = task.train.rows[["id", "label"]].iloc[holdout.withheld]
    path = submit(tmp_path, answers.to_csv(index=False, sep=";"))
    assert Grader(task, holdout).grade(path).score == 0.0


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_without_a_name_stays_without_one(name: str, tmp_path: Path) -> None:
    rows = make_rows(120).assign(label=BINARY).rename(columns={"id": ""})
    rows[:90].to_csv(tmp_path / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(tmp_path / "test.csv", index=False)
    pd.DataFrame({"": IDS, "label": 0}).to_csv(tmp_path / "sample_submission.csv", index=False)
    task = Task.load(tmp_path, metric="accuracy")
    path = tmp_path / "answer.csv"
    path.write_text(pd.DataFrame({name: IDS, "label": [row % 2 for row in IDS]}).to_csv(index=False))
    assert check_submission(task, path) == ""
    assert write_submission(task, path).splitlines()[:2] == [",label", "90,0"]


def test_a_carriage_return_in_a_predicted_text_does_not_end_its_row(tmp_path: Path) -> None:
    words = pd.Series([f"word {row}" for row in range(120)])
    rows = pd.DataFrame({"id": range(120), "spoken": words, "label": words + "!"})
    folder = tmp_path / "task"
    folder.mkdir()
    rows[:90].to_csv(folder / "train.csv", index=False)
    rows[90:].drop(columns="label").to_csv(folder / "test.csv", index=False)
    task = Task.load(folder, metric="exact_match", target="label")
    text = "id,label\n" + "".join(f'{row},"first\rsecond"\n' for row in IDS)
    path = tmp_path / "submission.csv"
    path.write_bytes(text.encode())
    (tmp_path / "final.csv").write_text(write_submission(task, path), newline="")
    final = pd.read_csv(tmp_path / "final.csv")
    assert final["id"].tolist() == IDS
    assert set(final["label"]) == {"first\rsecond"}
