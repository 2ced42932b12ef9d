"""Tables as programs and people leave them: read as they are meant, or refused in one line."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import infer_split, search_holdout, stage
from mlestar.evaluation.holdout.answers import find_answers
from tests.unit.workbook import write_workbook

ROWS, TRAIN = 160, 120
RANDOM = np.random.default_rng(7)
FRAME = pd.DataFrame({"id": range(ROWS), "a": RANDOM.normal(50, 9, ROWS).round(2), "b": RANDOM.integers(1, 9, ROWS)})
FRAME["y"] = (FRAME["a"] * 3 + FRAME["b"] + RANDOM.normal(size=ROWS)).round(2)
DATES = pd.Series(pd.date_range("2021-01-03", periods=ROWS))


def write(folder: Path, frame: pd.DataFrame = FRAME, test: pd.DataFrame | None = None) -> Path:
    rows = frame[TRAIN:].drop(columns="y") if test is None else test
    frame[:TRAIN].to_csv(folder / "train.csv", index=False)
    rows.to_csv(folder / "test.csv", index=False)
    return describe(folder)


def describe(folder: Path) -> Path:
    (folder / "task.md").write_text("Predict `y`. RMSE.", encoding="utf-8")
    return folder


def staged(task: Task) -> dict[str, pd.DataFrame]:
    folder = task.folder.with_name(f"{task.folder.name}-staged")
    stage(task, search_holdout(task, infer_split(task), seed=0), folder)
    return {path.name: pd.read_csv(path) for path in folder.glob("*.csv")}


def number_formats(task: Task, column: str) -> set[str]:
    return {one.number_format for file in task.statistics[:2] for one in file.columns if one.name == column}


def date_formats(task: Task, column: str) -> set[str]:
    return {one.date_format for file in task.statistics[:2] for one in file.columns if one.name == column}


def test_answers_under_any_name_are_no_sample_submission(tmp_path: Path) -> None:
    FRAME[TRAIN:][["id", "y"]].to_csv(write(tmp_path) / "private.csv", index=False)
    task = Task.load(tmp_path)
    assert task.spec.sample_submission is None
    real = tmp_path.with_name(f"{tmp_path.name}-real")
    stage(task, None, real)
    assert [path.name for path in sorted(real.glob("*.csv"))] == ["test.csv", "train.csv"]


@pytest.mark.parametrize("name", ["solution.csv", "y_test.csv", "test_labels.parquet", "y_test.npy"])
def test_answers_are_recognised_by_their_name_where_the_target_has_another(tmp_path: Path, name: str) -> None:
    answers = FRAME[TRAIN:][["id", "y"]].rename(columns={"y": "actual"})
    path = write(tmp_path) / name
    if name.endswith(".csv"):
        answers.to_csv(path, index=False)
    elif name.endswith(".parquet"):
        answers.to_parquet(path, index=False)
    else:
        np.save(path, answers["actual"].to_numpy())
    task = Task.load(tmp_path)
    assert find_answers(task) == (name,)
    assert name not in staged(task)


@pytest.mark.parametrize("name", ["solution.csv", "truths.csv"])
def test_side_tables_of_other_rows_are_no_answers(tmp_path: Path, name: str) -> None:
    pd.DataFrame({"b": range(1, 9), "liquid": list("abcdefgh")}).to_csv(write(tmp_path) / name, index=False)
    assert find_answers(Task.load(tmp_path)) == ()


def test_a_sample_under_any_name_has_one_prediction(tmp_path: Path) -> None:
    FRAME[TRAIN:][["id"]].assign(y=0).to_csv(write(tmp_path) / "please_fill_in.csv", index=False)
    assert Task.load(tmp_path).spec.sample_submission == "please_fill_in.csv"


def test_labels_of_the_test_rows_are_not_the_test_rows(tmp_path: Path) -> None:
    (write(tmp_path) / "test.csv").rename(tmp_path / "test_features.csv")
    FRAME[TRAIN:][["id", "y"]].to_csv(tmp_path / "test_labels.csv", index=False)
    assert Task.load(tmp_path).spec.test == "test_features.csv"


def test_archives_of_files_that_are_there_are_left_out(tmp_path: Path) -> None:
    write(tmp_path)
    for name in ("train.csv.zip", "all.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(tmp_path / "train.csv", "train.csv")
    task = Task.load(tmp_path)
    assert task.spec.auxiliary == ()
    assert set(staged(task)) == {"train.csv", "test.csv"}


def test_an_archive_that_is_set_is_not_replaced_silently(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path) / "train.csv.zip", "w") as archive:
        archive.write(tmp_path / "train.csv", "train.csv")
    with pytest.raises(TaskError, match=r"train\.csv in the folder would take its place"):
        Task.load(tmp_path, train="train.csv.zip")


@pytest.mark.parametrize("parts", [1, 3])
def test_folders_of_csv_parts_are_one_table(tmp_path: Path, parts: int) -> None:
    for role, frame in (("train", FRAME[:TRAIN]), ("test", FRAME[TRAIN:].drop(columns="y"))):
        (tmp_path / role).mkdir()
        (tmp_path / role / "_SUCCESS").touch()
        for part in range(parts):
            text = frame[part::parts].to_csv(index=False)
            (tmp_path / role / f"part-{part}.csv").write_text(text.rstrip("\n") if part == 0 else text)
    task = Task.load(describe(tmp_path))
    assert (task.spec.train_rows, task.spec.test_rows) == (TRAIN, ROWS - TRAIN)
    assert sorted(task.train.rows["id"].astype(int)) == list(range(TRAIN))


def test_files_whose_names_say_what_they_are_are_not_joined(tmp_path: Path) -> None:
    for role, frame in (("train", FRAME), ("test", FRAME.drop(columns="y"))):
        (tmp_path / role).mkdir()
        for shop in ("berlin", "paris"):
            frame[:20].to_csv(tmp_path / role / f"{shop}.csv", index=False)
    assert "train.csv" not in Task.load(describe(tmp_path), target="y").layout.names


def test_folders_of_recordings_are_not_joined(tmp_path: Path) -> None:
    pd.DataFrame({"id": range(6), "y": [1, 2] * 3}).to_csv(describe(tmp_path) / "labels.csv", index=False)
    for role, ids in (("train", range(6)), ("test", range(6, 9))):
        (tmp_path / role).mkdir()
        for number in ids:
            FRAME[["a", "b"]][:5].to_csv(tmp_path / role / f"{number}.csv", index=False)
    assert "train.csv" not in Task.load(tmp_path, target="y").layout.names


@pytest.mark.parametrize("marks", ["sep", "empty", "both"])
def test_what_excel_adds_is_left_out(tmp_path: Path, marks: str) -> None:
    write(tmp_path)
    for path in (tmp_path / "train.csv", tmp_path / "test.csv"):
        text = path.read_text().replace(",", ";").replace(".", ",")
        width = text.splitlines()[0].count(";")
        first, last = "sep=;\n" * (marks != "empty"), (";" * width + "\n") * (30_000 if marks != "sep" else 0)
        path.write_text("\ufeff" + first + text + last)
    task = Task.load(tmp_path)
    assert (task.spec.train_rows, task.spec.test_rows) == (TRAIN, ROWS - TRAIN)
    assert task.train.columns == ("id", "a", "b", "y")
    assert task.spec.target_formats == ("1234,5",)


def test_a_last_record_with_empty_cells_is_kept(tmp_path: Path) -> None:
    write(tmp_path, FRAME.astype(object).assign(b=["", *FRAME["b"][1:-1], ""]))
    assert Task.load(tmp_path).spec.test_rows == ROWS - TRAIN


def test_titles_above_the_header_of_a_workbook_are_left_out(tmp_path: Path) -> None:
    for role, frame in (("train", FRAME[:TRAIN]), ("test", FRAME[TRAIN:].drop(columns="y"))):
        rows = [["Sales of 2021"], [], list(frame.columns), *frame.to_numpy().tolist()]
        write_workbook(tmp_path / f"{role}.xlsx", {"Sheet": rows})
    task = Task.load(describe(tmp_path))
    assert task.train.columns == ("id", "a", "b", "y")
    assert task.spec.train_rows == TRAIN


def test_files_of_the_operating_system_are_no_data(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "train" / name / f"{number}.jpg").write_bytes(bytes([number]))
        (tmp_path / "train" / name / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "task.md").write_text("Which animal? Accuracy.")
    assert Task.load(tmp_path).spec.train_rows == 24


def test_null_of_a_database_is_a_missing_value(tmp_path: Path) -> None:
    frame = FRAME.astype(object)
    frame.loc[3:9, "y"] = frame.loc[20:40, "a"] = "\\N"
    task = Task.load(write(tmp_path, frame))
    assert task.spec.missing_targets == ("\\N",)
    assert (task.spec.problem, task.spec.metric) == ("regression", "rmse")


def labels_as_floats(folder: Path) -> None:
    labels = FRAME[:TRAIN][["id", "y"]].astype({"id": float}).sample(frac=1, random_state=0)
    labels.to_csv(folder / "train_labels.csv", index=False)


def labels_of_others(folder: Path) -> None:
    FRAME[:TRAIN][["id", "y"]].assign(id=range(5000, 5000 + TRAIN)).to_csv(folder / "train_labels.csv", index=False)


def labels_with_another_id(folder: Path) -> None:
    labels = FRAME[:TRAIN][["id", "y"]].rename(columns={"id": "row"}).sample(frac=1, random_state=0)
    labels.to_csv(folder / "train_labels.csv", index=False)


def values(folder: Path) -> Path:
    FRAME[:TRAIN].drop(columns="y").to_csv(folder / "train_values.csv", index=False)
    FRAME[TRAIN:].drop(columns="y").to_csv(folder / "test_values.csv", index=False)
    FRAME[TRAIN:][["id", "y"]].to_csv(folder / "test_labels.csv", index=False)
    return describe(folder)


def test_labels_are_joined_by_ids_that_another_program_wrote(tmp_path: Path) -> None:
    labels_as_floats(values(tmp_path))
    task = Task.load(tmp_path)
    assert task.spec.test == "test_values.csv"
    assert task.train.rows["y"].astype(float).tolist() == FRAME["y"][:TRAIN].tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [(labels_of_others, "differ in 'id'"), (labels_with_another_id, "names its rows by 'row'")],
)
def test_labels_of_other_rows_are_not_joined_row_by_row(
    tmp_path: Path, labels: Callable[[Path], None], message: str
) -> None:
    labels(values(tmp_path))
    with pytest.raises(TaskError, match=message):
        Task.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda test: test.rename(columns=str.upper), "'ID', which train.csv calls 'id'"),
        (lambda test: test.rename(columns={"a": " A "}), "' A ', which train.csv calls 'a'"),
        (lambda test: test[:0], "test.csv has no rows"),
        (lambda test: test.assign(a=test["a"].astype(str).str.replace(".", ",")), "write 'a' in two ways"),
        (lambda test: test.assign(when=DATES[TRAIN:].dt.strftime("%d.%m.%Y")), "write 'when' in two ways"),
        (lambda test: test.assign(paid=(test["b"] > 4).astype(int)), "write 'paid' in two ways"),
    ],
    ids=["capitals", "blanks", "no rows", "decimal comma", "dates", "booleans"],
)
def test_a_test_file_of_another_form_is_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    frame = FRAME.assign(when=DATES.dt.strftime("%Y-%m-%d"), paid=FRAME["b"] > 4)
    write(tmp_path, frame, change(frame[TRAIN:].drop(columns="y")))
    with pytest.raises(TaskError, match=message):
        Task.load(tmp_path)


def test_numbers_are_read_alike_in_train_and_test(tmp_path: Path) -> None:
    grouped = [f"{value:,.2f}" for value in FRAME["a"] * 100]
    small = [f"{value:.2f}" for value in FRAME["a"]]
    whole = [f"{int(value):,}".replace(",", ".") for value in FRAME["a"] * 100 + 1000]
    german = [f"{value:,.1f}".replace(",", "_").replace(".", ",").replace("_", ".") for value in FRAME["a"] * 100]
    frame = FRAME.assign(c=grouped[:TRAIN] + small[TRAIN:], d=german[:TRAIN] + whole[TRAIN:])
    task = Task.load(write(tmp_path, frame))
    assert number_formats(task, "c") == {"1,234.5"}
    assert number_formats(task, "d") == {"1.234,5"}


def test_dates_are_read_alike_in_train_and_test(tmp_path: Path) -> None:
    early = DATES[DATES.dt.day < 13].index[-8:]
    frame = FRAME.assign(when=DATES.dt.strftime("%d/%m/%Y"))
    write(tmp_path, frame)
    frame.drop(index=early).to_csv(tmp_path / "train.csv", index=False)
    frame.loc[early].drop(columns="y").to_csv(tmp_path / "test.csv", index=False)
    assert date_formats(Task.load(tmp_path), "when") == {"%d/%m/%Y"}


@pytest.mark.parametrize("form", ["%d/%m/%y", "%d.%m.%y", "%m/%d/%y", "%d.%m.%Y %H:%M:%S"])
def test_later_dates_of_any_form_are_a_split_by_time(tmp_path: Path, form: str) -> None:
    task = Task.load(write(tmp_path, FRAME.drop(columns="id").assign(when=DATES.dt.strftime(form))))
    plan = infer_split(task)
    assert (plan.kind, plan.by) == ("time", "when")


def test_a_counter_with_a_german_name_is_a_time(tmp_path: Path) -> None:
    frame = FRAME.drop(columns="id").assign(Datum=range(44197, 44197 + ROWS))
    assert infer_split(Task.load(write(tmp_path, frame))).kind == "time"


def test_a_metric_of_numbers_for_a_target_of_texts_is_refused(tmp_path: Path) -> None:
    signs = pd.Series(["$", "€"] * (ROWS // 2)) + FRAME["y"].astype(str)
    with pytest.raises(TaskError, match="asks for 'RMSE', but the target 'y' of train is not numbers"):
        Task.load(write(tmp_path, FRAME.assign(y=signs)))


def test_further_files_of_train_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    FRAME[:60].to_csv(tmp_path / "train_copy.csv", index=False)
    FRAME[:60].assign(id=range(900, 960)).to_csv(tmp_path / "train_2019.csv", index=False)
    (line,) = [line for line in Task.load(tmp_path).warnings if "not learned from" in line]
    assert "60 rows of train_2019.csv" in line


def test_labels_of_another_length_than_the_features_are_refused(tmp_path: Path) -> None:
    np.save(describe(tmp_path) / "X_train.npy", np.ones((30, 4)))
    np.save(tmp_path / "y_train.npy", np.ones(29))
    np.save(tmp_path / "X_test.npy", np.ones((10, 4)))
    with pytest.raises(TaskError, match=r"y_train\.npy has 29 rows and X_train\.npy has 30"):
        Task.load(tmp_path)


def test_a_table_under_another_suffix_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    for path in tmp_path.glob("*.csv"):
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(TaskError, match=r"train\.txt looks like a table: name it train\.csv"):
        Task.load(tmp_path)


def test_the_target_of_a_side_table_is_recognised_in_another_form(tmp_path: Path) -> None:
    write(tmp_path)
    invoices = FRAME[:TRAIN][["id"]].assign(paid=[f"{value:,.0f} €" for value in FRAME["y"][:TRAIN] * 100])
    invoices.to_csv(tmp_path / "invoices.csv", index=False)
    tables = staged(Task.load(tmp_path))
    assert set(tables["invoices.csv"]["id"]) == set(tables["train.csv"]["id"])


def test_a_feature_of_a_side_table_is_staged_whole(tmp_path: Path) -> None:
    FRAME[["id", "a"]].rename(columns={"a": "size"}).to_csv(write(tmp_path) / "sizes.csv", index=False)
    assert len(staged(Task.load(tmp_path))["sizes.csv"]) == ROWS


def test_numbers_of_rows_begin_anew_in_the_test_of_a_holdout(tmp_path: Path) -> None:
    frame = FRAME.drop(columns="id").sort_values("y")
    for name, rows in (("train", frame[:TRAIN]), ("test", frame[TRAIN:].drop(columns="y"))):
        rows.reset_index(drop=True).to_csv(tmp_path / f"{name}.csv")
    task = Task.load(describe(tmp_path))
    assert any("only numbers the rows" in note for note in task.notes)
    withheld = staged(task)["test.csv"]
    assert withheld.iloc[:, 0].tolist() == list(range(len(withheld)))


def test_sheets_beside_the_first_are_side_tables(tmp_path: Path) -> None:
    for role, frame in (("train", FRAME[:TRAIN]), ("test", FRAME[TRAIN:].drop(columns="y"))):
        rows = [list(frame.columns), *frame.to_numpy().tolist()]
        write_workbook(tmp_path / f"{role}.xlsx", {"Data": rows, "Codes": [["b", "name"], [1, "one"], [2, "two"]]})
    spec = Task.load(describe(tmp_path)).spec
    assert (spec.train, spec.test, spec.auxiliary) == ("train.csv", "test.csv", ("Codes.csv",))


def test_labels_that_only_the_sample_has_are_named(tmp_path: Path) -> None:
    frame = FRAME.assign(y=np.where(FRAME["y"] > 150, "yes", "no"))
    FRAME[TRAIN:][["id"]].assign(y=0).to_csv(write(tmp_path, frame) / "sample_submission.csv", index=False)
    task = Task.load(tmp_path, metric="accuracy")
    assert any("has '0' for 'y', which is no label of train (no, yes)" in line for line in task.warnings)
