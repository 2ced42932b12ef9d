"""Layouts: which rows a task has, whatever files they are in, and holdouts of them in the form of the real input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import Grader, Holdout, check_submission, infer_split, search_holdout, stage

RMSE = "Predict `y`.\n\n## Evaluation\nRMSE\n"


def rows(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(1, count + 1), "a": rng.normal(size=count).round(4)})
    frame["b"] = rng.integers(0, 9, count)
    return frame.assign(y=(frame.a * 2 + frame.b).round(3))


def write(folder: Path, tables: dict[str, pd.DataFrame], description: str = RMSE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.md").write_text(description)
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)
    return folder


def staged(task: Task, folder: Path) -> tuple[Holdout, Path]:
    """Stage the holdout of the search; return it and its folder."""
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, folder)
    return holdout, folder


def perfect(task: Task, holdout: Holdout, folder: Path) -> Path:
    """Write the right submission for the withheld rows."""
    cells = task.train.rows.iloc[holdout.withheld]
    columns = [*([task.spec.id] if task.spec.id else []), *task.spec.target]
    path = folder / "right.csv"
    cells[columns].to_csv(path, index=False)
    return path


# One labelled table


def test_one_labelled_table_is_enough(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path / "task", {"customers.csv": rows(200)}), target="y")
    assert (task.spec.layout, task.spec.has_test, task.spec.test_rows) == ("single table", False, 0)
    holdout, folder = staged(task, tmp_path / "input")
    test = pd.read_csv(folder / "test.csv")
    assert list(test) == ["id", "a", "b"]
    assert list(test.id) == list(task.train.rows.id.astype(int).iloc[holdout.withheld])
    assert Grader(task, holdout).grade(perfect(task, holdout, tmp_path)).score == 0.0


def test_the_real_input_of_one_table_has_a_test_file_too(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path / "task", {"customers.csv": rows(60)}), target="y")
    stage(task, None, tmp_path / "input")
    train, test = (pd.read_csv(tmp_path / "input" / name) for name in ("customers.csv", "test.csv"))
    assert len(train) == 60
    assert list(test) == ["id", "a", "b"]
    train[["id", "y"]].iloc[: len(test)].to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(task, tmp_path / "submission.csv") == ""
    train[["id", "y"]].iloc[:5].to_csv(tmp_path / "submission.csv", index=False)
    assert "5 rows instead of" in check_submission(task, tmp_path / "submission.csv")


def test_agents_read_the_columns_of_the_test_file_that_an_input_gets(tmp_path: Path) -> None:
    task = Task.load(write(tmp_path / "task", {"customers.csv": rows(60)}), target="y")
    described = {file.file: [column.name for column in file.columns] for file in task.statistics}
    assert described["test.csv"] == ["id", "a", "b"]


@pytest.mark.parametrize(
    ("description", "target"),
    [
        ("Predict `b`. RMSE.", ("b",)),
        ("Predict both `a` and `b`; RMSE.", ("a", "b")),
        ("RMSE.", ("y",)),  # its name
    ],
)
def test_the_target_of_one_table_is_named(description: str, target: tuple[str, ...], tmp_path: Path) -> None:
    task = Task.load(write(tmp_path / "task", {"customers.csv": rows(60)}, description))
    assert task.spec.target == target


def test_a_table_without_a_recognisable_target_is_asked_for_it(tmp_path: Path) -> None:
    table = rows(60).rename(columns={"y": "amount"})
    with pytest.raises(TaskError, match="which of id, a, b, amount is the target"):
        Task.load(write(tmp_path / "task", {"customers.csv": table}, "RMSE."))


def test_a_sample_without_a_test_file_still_asks_for_the_test_file(tmp_path: Path) -> None:
    tables = {"train.csv": rows(60), "sample_submission.csv": rows(20)[["id", "y"]]}
    with pytest.raises(TaskError, match="no test file"):
        Task.load(write(tmp_path / "task", tables))


# A test table with an empty target


def test_an_empty_target_column_of_test_is_ignored_and_named(tmp_path: Path) -> None:
    train, test = rows(200), rows(80, seed=1).assign(id=lambda frame: frame.id + 1000, y="")
    task = Task.load(write(tmp_path / "task", {"train.csv": train, "test.csv": test}))
    assert task.spec.target == ("y",)
    assert any("test.csv: y empty in every row" in note for note in task.notes)
    holdout, folder = staged(task, tmp_path / "input")
    written = pd.read_csv(folder / "test.csv", dtype=str, keep_default_na=False)
    assert list(written) == ["id", "a", "b", "y"]
    assert set(written.y) == {""}
    assert Grader(task, holdout).grade(perfect(task, holdout, tmp_path)).score == 0.0


# Labels in a separate file


@pytest.mark.parametrize("shuffled", [False, True])
def test_labels_are_joined_by_id(shuffled: bool, tmp_path: Path) -> None:
    train, test = rows(200), rows(80, seed=1).assign(id=lambda frame: frame.id + 1000)
    labels = train[["id", "y"]].sample(frac=1.0, random_state=0) if shuffled else train[["id", "y"]]
    tables = {
        "train_values.csv": train.drop(columns="y"),
        "train_labels.csv": labels,
        "test_values.csv": test.drop(columns="y"),
        "submission_format.csv": test[["id"]].assign(y=0.0),
    }
    task = Task.load(write(tmp_path / "task", tables))
    assert task.spec.layout == "separate labels"
    assert list(task.train.rows.y.astype(float)) == list(train.y)
    holdout, folder = staged(task, tmp_path / "input")
    hidden = set(task.train.rows.id.iloc[holdout.withheld])
    staged_labels = pd.read_csv(folder / "train_labels.csv", dtype=str)
    assert not hidden & set(staged_labels.id)
    assert set(staged_labels.id) == set(pd.read_csv(folder / "train_values.csv", dtype=str).id)
    assert set(pd.read_csv(folder / "test_values.csv", dtype=str).id) == hidden
    assert set(pd.read_csv(folder / "submission_format.csv", dtype=str).id) == hidden
    assert Grader(task, holdout).grade(perfect(task, holdout, tmp_path)).score == 0.0


def test_labels_without_ids_are_joined_by_row(tmp_path: Path) -> None:
    train, test = rows(200), rows(80, seed=1)
    tables = {
        "X_train.csv": train[["a", "b"]],
        "y_train.csv": train[["y"]],
        "X_test.csv": test[["a", "b"]],
    }
    task = Task.load(write(tmp_path / "task", tables))
    assert list(task.train.rows.y.astype(float)) == list(train.y)
    holdout, folder = staged(task, tmp_path / "input")
    values, labels = (pd.read_csv(folder / f"{name}_train.csv") for name in "Xy")
    assert len(values) == len(labels) == len(holdout.train)
    np.testing.assert_allclose(values.a * 2 + values.b, labels.y, atol=1e-3)
    assert len(pd.read_csv(folder / "X_test.csv")) == len(holdout.withheld)


def test_labels_of_another_number_of_rows_are_refused(tmp_path: Path) -> None:
    train = rows(50)
    tables = {
        "X_train.csv": train[["a", "b"]],
        "y_train.csv": train[["y"]].iloc[:40],
        "X_test.csv": train[["a", "b"]],
    }
    with pytest.raises(TaskError, match=r"y_train\.csv has 40 rows, X_train\.csv has 50"):
        Task.load(write(tmp_path / "task", tables))


def test_rows_without_labels_are_left_out_and_counted(tmp_path: Path) -> None:
    train, test = rows(100), rows(40, seed=1).assign(id=lambda frame: frame.id + 1000)
    tables = {
        "train_values.csv": train.drop(columns="y"),
        "train_labels.csv": train[["id", "y"]].iloc[10:],
        "test_values.csv": test.drop(columns="y"),
    }
    task = Task.load(write(tmp_path / "task", tables))
    assert task.spec.train_rows == 90
    assert any("10 rows of train_values.csv have no labels" in note for note in task.notes)


def test_statistics_of_labels_leave_withheld_rows_out(tmp_path: Path) -> None:
    train, test = rows(100), rows(40, seed=1)
    train["y"] = np.arange(100.0)
    tables = {"X_train.csv": train[["a", "b"]], "y_train.csv": train[["y"]], "X_test.csv": test[["a", "b"]]}
    task = Task.load(write(tmp_path / "task", tables)).showing(np.arange(50))
    labels = next(file for file in task.statistics if file.file == "y_train.csv")
    assert labels.columns[0].maximum == "49.0"


# Files that rows name


def image_task(folder: Path, *, test_table: bool, sample: bool, suffix: bool = False) -> Path:
    """Write a task whose rows name files in `train/` and `test/`; a file holds the name that it was written under."""
    train, test = rows(120), rows(40, seed=1).assign(id=lambda frame: frame.id + 1000)
    end = ".png" if suffix else ""
    train_ids, test_ids = (frame.id.astype(str) + end for frame in (train, test))
    tables = {"train.csv": pd.DataFrame({"id": train_ids, "y": train.y})}
    if test_table:
        tables["test.csv"] = pd.DataFrame({"id": test_ids})
    if sample:
        tables["sample_submission.csv"] = pd.DataFrame({"id": test_ids, "y": 0.0})
    write(folder, tables)
    for name, frame in (("train", train), ("test", test)):
        (folder / name).mkdir()
        for identity in frame.id:
            (folder / name / f"{identity}.png").write_text(f"{name} {identity}")
    return folder


@pytest.mark.parametrize("suffix", [False, True])
@pytest.mark.parametrize(("test_table", "sample"), [(True, True), (False, True), (False, False)])
def test_the_files_of_withheld_rows_are_staged_as_files_of_test(
    test_table: bool, sample: bool, suffix: bool, tmp_path: Path
) -> None:
    task = Task.load(image_task(tmp_path / "task", test_table=test_table, sample=sample, suffix=suffix))
    assert task.labelled
    assert task.spec.train_only == ()
    assert task.spec.test_rows == 40
    holdout, folder = staged(task, tmp_path / "input")
    end = "" if suffix else ".png"
    for rows_there, name in ((holdout.train, "train"), (holdout.withheld, "test")):
        expected = {f"{identity}{end}" for identity in task.train.rows.id.iloc[rows_there]}
        assert {path.name for path in (folder / name).iterdir()} == expected
        assert all(path.read_text().startswith("train ") for path in (folder / name).iterdir())
    assert len(pd.read_csv(folder / "train.csv")) == len(holdout.train)
    assert Grader(task, holdout).grade(perfect(task, holdout, tmp_path)).score == 0.0


def test_paths_of_withheld_rows_change_with_their_files(tmp_path: Path) -> None:
    folder = image_task(tmp_path / "task", test_table=True, sample=False)
    for name in ("train", "test"):
        table = pd.read_csv(folder / f"{name}.csv")
        table.insert(1, "path", f"{name}/" + table.id.astype(str) + ".png")
        table.to_csv(folder / f"{name}.csv", index=False)
    task = Task.load(folder)
    _, staged_folder = staged(task, tmp_path / "input")
    for name in ("train", "test"):
        table = pd.read_csv(staged_folder / f"{name}.csv")
        assert all((staged_folder / path).is_file() for path in table.path)
        assert all(path.startswith(f"{name}/") for path in table.path)


def test_files_in_one_folder_stay_there(tmp_path: Path) -> None:
    folder = image_task(tmp_path / "task", test_table=True, sample=True)
    (folder / "images").mkdir()
    for name in ("train", "test"):
        for path in (folder / name).iterdir():
            path.rename(folder / "images" / path.name)
        (folder / name).rmdir()
    task = Task.load(folder)
    _, staged_folder = staged(task, tmp_path / "input")
    assert len(list((staged_folder / "images").iterdir())) == 160


def test_answers_that_only_train_files_have_are_not_staged_for_withheld_rows(tmp_path: Path) -> None:
    folder = image_task(tmp_path / "task", test_table=True, sample=True)
    (folder / "train_masks").mkdir()
    for path in (folder / "train").iterdir():
        (folder / "train_masks" / path.name).write_text("mask")
    task = Task.load(folder)
    holdout, staged_folder = staged(task, tmp_path / "input")
    kept = {f"{identity}.png" for identity in task.train.rows.id.iloc[holdout.train]}
    assert {path.name for path in (staged_folder / "train_masks").iterdir()} == kept


def test_a_row_may_have_a_folder_of_files(tmp_path: Path) -> None:
    train, test = rows(100), rows(30, seed=1)  # ids of test repeat those of train
    folder = write(tmp_path / "task", {"train.csv": train, "test.csv": test.drop(columns="y")})
    for name, frame in (("train", train), ("test", test)):
        for identity in frame.id:
            (folder / name / str(identity)).mkdir(parents=True)
            (folder / name / str(identity) / "geometry.txt").write_text(f"{name} {identity}")
    task = Task.load(folder)
    holdout, staged_folder = staged(task, tmp_path / "input")
    hidden = set(task.train.rows.id.iloc[holdout.withheld])
    assert {path.name for path in (staged_folder / "test").iterdir()} == hidden
    texts = [path.read_text() for path in (staged_folder / "test").rglob("*.txt")]
    assert all(text.startswith("train ") for text in texts)
    assert not hidden & {path.name for path in (staged_folder / "train").iterdir()}


# Precedence and settings


def test_a_sample_submission_is_preferred_to_a_submission(tmp_path: Path) -> None:
    train, test = rows(60), rows(20, seed=1).assign(id=lambda frame: frame.id + 1000)
    tables = {
        "train.csv": train,
        "test.csv": test.drop(columns="y"),
        "submission.csv": test[["id", "y"]],
        "sample_submission.csv": test[["id"]].assign(y=0.0),
    }
    task = Task.load(write(tmp_path / "task", tables))
    assert task.spec.sample_submission == "sample_submission.csv"


def test_an_unknown_layout_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    folder = write(tmp_path / "task", {"train.csv": rows(60)})
    with pytest.raises(TaskError, match="no layout 'tabels': choose separate labels, tables"):
        Task.load(folder, layout="tabels")
    with pytest.raises(TaskError, match="cannot be loaded"):
        Task.load(folder, layout="no_such_module:Name")
    with pytest.raises(TaskError, match="is not a subclass"):
        Task.load(folder, layout="pathlib:Path")
