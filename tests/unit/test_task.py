"""A folder is understood from its files and its description, or rejected in one line."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.data.overview import make_overview
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.metrics import Metric

RANDOM = np.random.default_rng(3)
ROWS = 120
TRAIN, TEST = slice(0, 80), slice(80, ROWS)
BASE = pd.DataFrame({"id": range(ROWS), "a": RANDOM.normal(size=ROWS).round(3), "b": RANDOM.choice(list("xyz"), ROWS)})
YES = pd.Series(RANDOM.choice(["no", "yes"], ROWS))
KIND = pd.Series(RANDOM.choice(["setosa", "versicolor", "virginica"], ROWS))
PRICE = pd.Series((RANDOM.gamma(2.0, 50, ROWS)).round(2))
SCORED_BY = "Predict the target.\n\n## Evaluation\n"


def make(
    folder: Path,
    target: Mapping[str, pd.Series],
    *,
    predictions: Mapping[str, str | float] | None = None,
    description: str = SCORED_BY + "Accuracy.",
    toml: str = "",
) -> Path:
    """Write a task folder; `predictions` are columns of the sample submission, those of `target` by default."""
    folder.mkdir(exist_ok=True)
    pd.concat([BASE, pd.DataFrame(target)], axis=1)[TRAIN].to_csv(folder / "train.csv", index=False)
    BASE[TEST].to_csv(folder / "test.csv", index=False)
    BASE[TEST][["id"]].assign(**(predictions or dict.fromkeys(target, 0))).to_csv(
        folder / "sample_submission.csv", index=False
    )
    (folder / "task.md").write_text(description)
    if toml:
        (folder / "task.toml").write_text(toml)
    return folder


def test_classification_is_understood(tmp_path: Path) -> None:
    task = Task.load(make(tmp_path, {"y": YES}))
    spec = task.spec
    assert (spec.problem, spec.metric, spec.direction) == ("binary", "accuracy", "maximize")
    assert (spec.id, spec.target, spec.prediction_columns) == ("id", ("y",), ("y",))
    assert (spec.prediction_kind, spec.classes, spec.pos_label) == ("label", ("no", "yes"), "yes")
    assert (spec.train_rows, spec.test_rows, task.labelled) == (80, 40, True)


def test_regression_is_understood(tmp_path: Path) -> None:
    spec = Task.load(make(tmp_path, {"price": PRICE}, description=SCORED_BY + "RMSLE")).spec
    assert (spec.problem, spec.metric, spec.direction) == ("regression", "rmsle", "minimize")
    assert (spec.prediction_kind, spec.classes) == ("value", ())


def test_integer_grades_under_kappa_are_ordinal(tmp_path: Path) -> None:
    grades = pd.Series(RANDOM.integers(3, 12, ROWS))
    spec = Task.load(make(tmp_path, {"grade": grades}, description="Quadratic weighted kappa")).spec
    assert (spec.problem, spec.prediction_kind) == ("ordinal", "label")
    assert spec.classes == ("3", "4", "5", "6", "7", "8", "9", "10", "11")


def test_texts_are_a_sequence_problem(tmp_path: Path) -> None:
    spec = Task.load(make(tmp_path, {"after": KIND}), metric="exact_match").spec
    assert (spec.problem, spec.prediction_kind, spec.modality) == ("sequence", "text", "text")


@pytest.mark.parametrize("form", ["{}", "p_{}", "prob_{}", "Class_{}", "{}_score", "is {}"])
def test_a_column_for_each_class_is_matched_by_name(form: str, tmp_path: Path) -> None:
    order = ("virginica", "setosa", "versicolor")
    predictions = {form.format(label): 0.3 for label in order}
    spec = Task.load(
        make(tmp_path, {"species": KIND}, predictions=predictions, description="multi-class log loss")
    ).spec
    assert (spec.target, spec.classes, spec.prediction_columns) == (("species",), order, tuple(predictions))


def test_numbered_class_columns_are_matched(tmp_path: Path) -> None:
    digits = pd.Series([10, 11, 12] * 40)
    spec = Task.load(make(tmp_path, {"digit": digits}, predictions={"p12": 0, "p10": 0, "p11": 0}, description="")).spec
    assert (spec.metric, spec.classes) == ("log_loss", ("12", "10", "11"))


def test_class_columns_of_other_names_need_a_setting(tmp_path: Path) -> None:
    folder = make(tmp_path, {"species": KIND}, predictions={"u": 0, "v": 0, "w": 0}, description="log loss")
    with pytest.raises(TaskError, match=r"cannot be matched with the classes .* set classes in task.toml"):
        Task.load(folder)
    assert Task.load(folder, classes=["setosa", "virginica", "versicolor"]).spec.classes[1] == "virginica"


def test_several_binary_targets_are_multilabel(tmp_path: Path) -> None:
    flags = pd.Series([0, 1] * 60)
    spec = Task.load(make(tmp_path, {"u": flags, "v": 1 - flags}, description="ROC AUC")).spec
    assert (spec.problem, spec.metric, spec.target, spec.pos_label) == ("multilabel", "mean_auroc", ("u", "v"), "1")


def test_f1_of_many_classes_is_averaged(tmp_path: Path) -> None:
    task = Task.load(make(tmp_path, {"species": KIND}, description="F1"))
    assert task.spec.metric == "macro_f1"
    assert any("more than two" in note for note in task.notes)


@pytest.mark.parametrize(
    ("labels", "description", "expected"),
    [
        (["no", "yes"], "F1 score of the class `no`", "no"),
        (["no", "yes"], "F1", "yes"),
        (["-1", "1"], "F1", "1"),
        (["False", "True"], "F1", "True"),
        (["benign", "malignant"], "F1. The positive class is 'benign'.", "benign"),
    ],
)
def test_the_positive_class(labels: list[str], description: str, expected: str, tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": pd.Series(labels * 60)}, description=description)
    assert Task.load(folder).spec.pos_label == expected


def test_columns_that_only_train_has_are_listed(tmp_path: Path) -> None:
    folder = make(tmp_path, {"casual": YES, "count": PRICE}, predictions={"count": 0}, description="RMSE")
    spec = Task.load(folder).spec
    assert (spec.target, spec.train_only) == (("count",), ("casual",))


def test_without_a_sample_the_target_is_what_test_lacks(tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "sample_submission.csv").unlink()
    spec = Task.load(tmp_path).spec
    assert (spec.id, spec.target, spec.prediction_columns, spec.sample_submission) == ("id", ("y",), ("y",), None)


def test_without_a_sample_the_description_may_name_the_target(tmp_path: Path) -> None:
    text = "`casual` (walk-ins), `total` (their sum, the target). RMSE."
    (make(tmp_path, {"casual": PRICE, "total": PRICE}, description=text) / "sample_submission.csv").unlink()
    assert Task.load(tmp_path).spec.target == ("total",)


def test_a_submission_may_follow_the_order_of_the_test_file(tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": YES})
    for name in ("train.csv", "test.csv"):
        pd.read_csv(folder / name).drop(columns="id").to_csv(folder / name, index=False)
    pd.DataFrame({"row": range(1, 41), "y": "no"}).to_csv(folder / "sample_submission.csv", index=False)
    spec = Task.load(folder).spec
    assert (spec.id, spec.prediction_columns) == (None, ("y",))


def test_files_are_found_by_their_columns(tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": YES})
    for old, new in (("train", "history"), ("test", "open"), ("sample_submission", "format")):
        (folder / f"{old}.csv").rename(folder / f"{new}.csv")
    spec = Task.load(folder).spec
    assert (spec.train, spec.test, spec.sample_submission) == ("history.csv", "open.csv", "format.csv")


@pytest.mark.parametrize("name", ["train.tsv", "train.jsonl", "train.json", "train.csv.gz", "TrainData.parquet"])
def test_every_table_format_is_read(name: str, tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "train.csv").unlink()
    train = BASE.assign(y=YES)[TRAIN]
    writers = {
        "tsv": lambda: train.to_csv(sep="\t", index=False).encode(),
        "jsonl": lambda: train.to_json(orient="records", lines=True).encode(),
        "json": lambda: train.to_json(orient="records").encode(),
        "gz": lambda: gzip.compress(train.to_csv(index=False).encode()),
        "parquet": lambda: train.to_parquet(index=False),
    }
    (tmp_path / name).write_bytes(writers[name.rpartition(".")[2]]())
    assert Task.load(tmp_path).table(name).columns == ("id", "a", "b", "y")


def test_data_may_be_in_an_input_folder(tmp_path: Path) -> None:
    make(tmp_path / "input", {"y": YES})
    (tmp_path / "input" / "task.md").rename(tmp_path / "README.md")
    (tmp_path / "input" / "words.txt").write_text("one\ntwo\n")
    task = Task.load(tmp_path)
    assert (task.input, task.spec.auxiliary) == (tmp_path / "input", ("words.txt",))


def test_a_goal_and_a_metric_replace_the_description(tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "task.md").unlink()
    task = Task.load(tmp_path, goal="Predict y.", metric="auc")
    assert (task.description, task.spec.metric, task.spec.prediction_kind) == ("Predict y.", "auroc", "probability")
    assert {"metric", "direction"} <= task.settled


def test_a_metric_object_can_be_given(tmp_path: Path) -> None:
    worst = Metric.from_callable(lambda truth, guess: abs(truth - guess).max(), "minimize", "value", name="worst")
    task = Task.load(make(tmp_path, {"price": PRICE}), metric=worst)
    assert (task.metric, task.spec.metric, task.spec.problem) == (worst, "worst", "regression")


def test_a_metric_file_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def loss(truth, guess):\n    return abs(truth - guess).mean()\n")
    task = Task.load(make(tmp_path, {"price": PRICE}, toml='metric = "own.py:loss"\ndirection = "minimize"\n'))
    assert (task.spec.metric, task.spec.problem, task.spec.auxiliary) == ("own.py:loss", "regression", ())


def test_arguments_take_precedence_over_task_toml(tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": YES}, toml='metric = "f1"\npos_label = "no"\nsplit = "group:b"\n')
    spec = Task.load(folder, pos_label="yes").spec
    assert (spec.metric, spec.pos_label, spec.split) == ("f1", "yes", "group:b")


def test_arrays_have_labels(tmp_path: Path) -> None:
    names, labels = np.array([f"img_{i}" for i in range(6)]), np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "train.npz", id=names, image=np.zeros((6, 8, 8)), label=labels)
    np.savez(tmp_path / "test.npz", id=names[:2], image=np.zeros((2, 8, 8)))
    sample = pd.DataFrame({"id": names[:2], "p0": 0.3, "p1": 0.3, "p2": 0.3})
    sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    task = Task.load(tmp_path, metric="log_loss")
    assert (task.labelled, task.spec.target, task.spec.classes) == (True, ("label",), ("0", "1", "2"))
    assert "image float64 6 x 8 x 8" in make_overview(task.spec, task.statistics).files


def test_files_whose_rows_cannot_be_listed_are_passed_through_unlabelled(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.bin").write_bytes(b"\0\1\2")
    pd.DataFrame({"id": ["a", "b"], "p0": 0.4, "p1": 0.6}).to_csv(tmp_path / "sample_submission.csv", index=False)
    task = Task.load(tmp_path, metric="log_loss")
    assert (task.labelled, task.spec.target, task.spec.classes) == (False, ("label",), ("0", "1"))
    assert any("cannot be located" in note for note in task.notes)


def break_target(folder: Path) -> None:
    pd.read_csv(folder / "train.csv").drop(columns="y").to_csv(folder / "train.csv", index=False)


def break_id(folder: Path) -> None:
    pd.read_csv(folder / "test.csv").drop(columns="id").to_csv(folder / "test.csv", index=False)


def break_sample(folder: Path) -> None:
    sample = pd.read_csv(folder / "sample_submission.csv")
    sample.assign(id=sample["id"] + 1000).to_csv(folder / "sample_submission.csv", index=False)


def shorten_sample(folder: Path) -> None:
    pd.read_csv(folder / "sample_submission.csv")[:10].to_csv(folder / "sample_submission.csv", index=False)


def give_answers(folder: Path) -> None:
    pd.read_csv(folder / "test.csv").assign(y="no").to_csv(folder / "test.csv", index=False)


def repeat_ids(folder: Path) -> None:
    test = pd.read_csv(folder / "test.csv")
    test.assign(id=test["id"] // 2).to_csv(folder / "test.csv", index=False)


def one_label(folder: Path) -> None:
    pd.read_csv(folder / "train.csv").assign(y="no").to_csv(folder / "train.csv", index=False)


def one_label_and_na(folder: Path) -> None:
    rows = pd.read_csv(folder / "train.csv")
    rows.assign(y=["NA" if row % 2 else "EU" for row in range(len(rows))]).to_csv(folder / "train.csv", index=False)


def set_metric(name: str, folder: Path) -> None:
    (folder / "task.toml").write_text(f'metric = "{name}"\n')


BREAKAGES = {
    "target missing": (break_target, "train.csv has no target column: test.csv has all its columns; .* asks for y"),
    "id missing": (break_id, "test.csv has no column 'id', by which sample_submission.csv identifies its rows: add it"),
    "other ids": (break_sample, "the ids of sample_submission.csv and test.csv differ in 'id', e.g. '100'"),
    "short sample": (shorten_sample, "sample_submission.csv has 10 rows, but test.csv has 40"),
    "repeated ids": (repeat_ids, "test.csv: duplicate id '40' in column 'id'"),
    "answers in test": (give_answers, "test.csv holds the target 'y': remove that column"),
    "one label": (one_label, "fewer than two different values"),
    "one label and NA": (one_label_and_na, r"NA is read as missing: .* write classes = \['EU', 'NA'\] in task.toml"),
    "no test": (lambda folder: (folder / "test.csv").unlink(), "no test file among .* name it test.csv"),
    "no train": (lambda folder: (folder / "train.csv").unlink(), "no train file among"),
    "corrupt": (lambda folder: (folder / "train.csv").write_text("id,y\n1\n"), "train.csv, line 2: 1 fields"),
    "encoding": (lambda folder: (folder / "task.md").write_bytes(b"caf\xe9"), r"task.md is not UTF-8 text \(byte 4\)"),
    "unknown metric": (
        lambda folder: (folder / "task.md").write_text("## Evaluation\nThe usual index of our firm."),
        "names no metric that fits the target where it says 'The usual index of our firm.': set metric",
    ),
    "metric we lack": (
        lambda folder: (folder / "task.md").write_text("Scored by the partial AUC."),
        "asks for 'partial AUC', which mlestar does not have: write it as metric.py:function .* or set metric",
    ),
    "wrong metric": (
        lambda folder: set_metric("acuracy", folder),
        "unknown metric 'acuracy'; the nearest are accuracy",
    ),
    "unfit metric": (
        lambda folder: set_metric("rmse", folder),
        "holds '(yes|no)' in row 1, but the metric needs numbers",
    ),
    "link": (lambda folder: (folder / "x").symlink_to("/etc/hosts"), "x is a link to something outside"),
}


@pytest.mark.parametrize("case", BREAKAGES)
def test_a_bad_folder_is_rejected_in_one_line(case: str, tmp_path: Path) -> None:
    breakage, message = BREAKAGES[case]
    breakage(make(tmp_path, {"y": YES}))
    with pytest.raises(TaskError, match=message) as caught:
        Task.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('metrics = "auc"', "unknown key 'metrics'; did you mean 'metric'?"),
        ("metric =", "task.toml cannot be read: Invalid value"),
        ('direction = "up"', "direction = 'up' is not valid: Input should be 'maximize' or 'minimize'"),
        ('direction = "minimize"', "direction = 'minimize' contradicts accuracy"),
        ('target = "zz"', "train.csv has no column 'zz', which is set as the target"),
        ('id = "zz"', "test.csv has no column 'zz', which is set as the id"),
        ('train = "../train.csv"', "train = '../train.csv' is outside"),
        ('auxiliary = ["/etc/hosts"]', "auxiliary = '/etc/hosts' is outside"),
        ('test = "zz.csv"', "test = 'zz.csv': no such file"),
        ('split = "time:zz"', "split = 'time:zz': train.csv has no column 'zz'"),
        ('split = "weekly"', "split = 'weekly' is not valid"),
        ('pos_label = "maybe"', "pos_label = 'maybe' is not one of the classes no, yes"),
        ('metric = "own.py:f"', "metric file 'own.py' is not a file inside"),
    ],
)
def test_a_wrong_setting_is_rejected_in_one_line(toml: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError) as caught:
        Task.load(make(tmp_path, {"y": YES}, toml=toml))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_there_must_be_a_folder_with_data(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no such folder"):
        Task.load(tmp_path / "none")
    with pytest.raises(TaskError, match="holds no data files"):
        Task.load(tmp_path)


def test_a_link_that_stays_inside_is_data(tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "again.csv").symlink_to("train.csv")
    assert Task.load(tmp_path).spec.auxiliary == ("again.csv",)


def test_statistics_distinguish_kinds_of_columns(tmp_path: Path) -> None:
    more = {
        "when": pd.Series(pd.date_range("2020-01-01", periods=ROWS).astype(str)),
        "flag": pd.Series([True, False] * 60),
        "note": pd.Series([f"a few words about row {row}" for row in range(ROWS)]),
        "code": pd.Series([f"c{row:04d}" for row in range(ROWS)]),
        "file": pd.Series([f"audio/{row}.wav" for row in range(ROWS)]),
        "hole": pd.Series([""] * ROWS),
        "half": pd.Series([" ", "1.5"] * 60),
    }
    train = Task.load(make(tmp_path, {**more, "y": YES}, predictions={"y": "no"})).statistics[0]
    kinds = {column.name: column.kind for column in train.columns}
    assert kinds == {"id": "id", "a": "float", "b": "category", "y": "category"} | {
        "when": "date", "flag": "bool", "note": "text", "code": "id", "file": "path", "hole": "empty", "half": "float"
    }  # fmt: skip
    when, half = train.columns[3], train.columns[-2]
    assert (when.minimum, when.maximum, half.missing) == ("2020-01-01", "2020-03-20", 0.5)


def test_nested_fields_are_columns_of_the_statistics(tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "extra.jsonl").write_text(
        '{"k": 1, "who": {"age": 3, "at": {"zip": "x"}}}\n{"k": 2}\n'
    )
    extra = Task.load(tmp_path).statistics[-1]
    assert [column.name for column in extra.columns] == ["k", "who.age", "who.at.zip"]
    assert extra.columns[1].missing == 0.5


def test_statistics_name_the_keys_of_joins(tmp_path: Path) -> None:
    stamps = pd.Series([f"2020-01-{1 + row % 28:02d} 12:00" for row in range(ROWS)])
    folder = make(tmp_path, {"stamp": stamps, "y": YES}, predictions={"y": "no"})
    days = pd.DataFrame({"day": [f"2020-01-{day:02d}" for day in range(1, 29)], "rain": 0.5})
    days.to_csv(folder / "weather.csv", index=False)
    weather = Task.load(folder).statistics[-1]
    assert {column.name: column.shared_with for column in weather.columns} == {"day": ("train.csv:stamp",), "rain": ()}


def test_a_broken_further_file_is_noted(tmp_path: Path) -> None:
    (make(tmp_path, {"y": YES}) / "extra.csv").write_text("a,b\n1\n")
    assert Task.load(tmp_path).statistics[-1].note == "extra.csv, line 2: 1 fields, but the header has 2"


@pytest.mark.parametrize(("pictures", "expected"), [(1, "table"), (20, "image")])
def test_many_pictures_are_data_and_one_is_not(pictures: int, expected: str, tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": YES})
    for number in range(pictures):
        (folder / f"{number}.png").write_bytes(b"x")
    assert Task.load(folder).spec.modality == expected


def test_short_texts_among_many_columns_stay_a_table(tmp_path: Path) -> None:
    folder = make(tmp_path, {"y": YES})
    text = pd.Series([f"a comment of several words, number {row}" for row in range(ROWS)])
    wide = BASE.assign(c=PRICE, d=PRICE, note=text)
    for part, rows in (("train", TRAIN), ("test", TEST)):
        wide.assign(**({"y": YES} if part == "train" else {}))[rows].to_csv(folder / f"{part}.csv", index=False)
    assert Task.load(folder).spec.modality == "table"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"id": "custmer"}, "which is set as the id; did you mean 'customer'?"),
        ({"target": "yy"}, "which is set as the target; did you mean 'y'?"),
    ],
)
def test_a_mistyped_column_of_a_single_table_is_refused_with_the_nearest(
    setting: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = pd.DataFrame({"customer": range(30), "x": range(30), "y": ["yes", "no"] * 15})
    rows.to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(TaskError) as caught:
        Task.load(tmp_path, metric="accuracy", **{"target": "y", **setting})
    assert message in str(caught.value)


def test_the_forms_of_a_split_are_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError) as caught:
        Task.load(make(tmp_path, {"y": YES}), split="household")
    forms = "random, stratified, time:COLUMN, series:COLUMN:TIME, group:COLUMN or space:X+Y"
    assert str(caught.value) == f"split = 'household' is not valid: give {forms}"


@pytest.mark.parametrize(("metric", "warned"), [("accuracy", True), ("rmse", False)])
def test_amounts_that_a_metric_takes_for_classes_are_reported(metric: str, warned: bool, tmp_path: Path) -> None:
    pd.DataFrame({"x": range(40), "price": [number / 4 for number in range(40)]}).to_csv(tmp_path / "train.csv")
    task = Task.load(tmp_path, target="price", metric=metric)
    assert any("40 different numbers in 40 rows are taken for classes" in line for line in task.warnings) == warned
