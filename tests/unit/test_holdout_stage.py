"""The staged input of a holdout has the form of the real one and no label of a withheld row."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation import (
    Holdout,
    fresh_holdouts,
    infer_split,
    manifest,
    search_holdout,
    stage,
)
from mlestar.evaluation.holdout.plan import SplitPlan
from tests.unit.holdout_folders import divide, make_rows, make_task, random_task


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def stage_holdout(task: Task, folder: Path) -> Holdout:
    holdout = search_holdout(task, infer_split(task), seed=1)
    stage(task, holdout, folder)
    return holdout


def test_train_loses_the_withheld_rows(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    holdout = stage_holdout(task, tmp_path / "input")
    staged, real = pd.read_csv(tmp_path / "input/train.csv"), pd.read_csv(data / "train.csv")
    pd.testing.assert_frame_equal(staged, real.iloc[holdout.train].reset_index(drop=True))


def test_test_has_the_real_fields_and_the_withheld_rows(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    holdout = stage_holdout(task, tmp_path / "input")
    staged, real = pd.read_csv(tmp_path / "input/test.csv"), pd.read_csv(data / "train.csv")
    pd.testing.assert_frame_equal(staged, real.drop(columns="label").iloc[holdout.withheld].reset_index(drop=True))


def test_fields_follow_the_order_of_the_real_test(data: Path, tmp_path: Path) -> None:
    train, test = divide(make_rows(300), np.arange(300) % 3 == 0)
    task = make_task(data, train, test[["rank", "id", "colour", "size"]])
    stage_holdout(task, tmp_path / "input")
    assert (tmp_path / "input/test.csv").read_text().startswith("rank,id,colour,size\n")


def test_the_sample_has_the_withheld_ids_and_one_prediction(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    stage_holdout(task, tmp_path / "input")
    sample, test = pd.read_csv(tmp_path / "input/sample_submission.csv"), pd.read_csv(tmp_path / "input/test.csv")
    assert sample["id"].tolist() == test["id"].tolist()
    assert sample["label"].unique().tolist() == pd.read_csv(data / "sample_submission.csv")["label"].unique().tolist()


def test_no_label_of_a_withheld_row_is_staged(data: Path, tmp_path: Path) -> None:
    frame = make_rows(300).assign(label=[f"answer-{row % 2}-{row}" for row in range(300)])
    task = make_task(data, *divide(frame, np.arange(300) % 3 == 0), "exact_match")
    holdout = stage_holdout(task, tmp_path / "input")
    text = "".join(path.read_text() for path in (tmp_path / "input").iterdir() if path.name != "sample_submission.csv")
    answers = task.table("train.csv").frame["label"].iloc[holdout.withheld]
    assert not [answer for answer in answers if f"{answer}\n" in text]


def test_staging_again_gives_the_same_manifest(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    holdout = search_holdout(task, infer_split(task), seed=1)
    first = stage(task, holdout, tmp_path / "input")
    assert first == stage(task, holdout, tmp_path / "input") == stage(task, holdout, tmp_path / "other")
    assert first == manifest(tmp_path / "input") != manifest(data)


def test_a_folder_that_was_changed_is_filled_again(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    holdout = search_holdout(task, infer_split(task), seed=1)
    first = stage(task, holdout, tmp_path / "input")
    (tmp_path / "input/test.csv").unlink()
    (tmp_path / "input/extra.txt").write_text("left by a script")
    assert stage(task, holdout, tmp_path / "input") == first == manifest(tmp_path / "input")


def test_a_gzipped_test_is_staged_gzipped(data: Path, tmp_path: Path) -> None:
    random_task(data)
    (data / "test.csv.gz").write_bytes(gzip.compress((data / "test.csv").read_bytes()))
    (data / "test.csv").unlink()
    task = Task.load(data, metric="accuracy")
    holdout = stage_holdout(task, tmp_path / "input")
    assert len(pd.read_csv(tmp_path / "input/test.csv.gz")) == len(holdout.withheld)


def test_a_json_test_of_a_csv_train_is_staged_as_json(data: Path, tmp_path: Path) -> None:
    random_task(data)
    test = pd.read_csv(data / "test.csv")
    test.to_json(data / "test.jsonl", orient="records", lines=True)
    (data / "test.csv").unlink()
    task = Task.load(data, metric="accuracy")
    holdout = stage_holdout(task, tmp_path / "input")
    rows = [json.loads(line) for line in (tmp_path / "input/test.jsonl").read_text().splitlines()]
    real = pd.read_csv(data / "train.csv").drop(columns="label").iloc[holdout.withheld]
    assert rows == real.to_dict(orient="records")


def test_other_files_are_copied_and_read_only(data: Path, tmp_path: Path) -> None:
    (data / "images").mkdir()
    (data / "images/one.png").write_bytes(b"\x89PNG")
    stage_holdout(random_task(data), tmp_path / "input")
    copied = tmp_path / "input/images/one.png"
    assert copied.read_bytes() == b"\x89PNG"
    assert copied.stat().st_mode & 0o222 == 0
    assert not copied.samefile(data / "images/one.png")


def test_a_file_that_others_may_not_read_is_copied_for_the_user_of_the_sandbox(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    (data / "words.txt").write_text("some words")
    (data / "words.txt").chmod(0o600)
    stage(task, search_holdout(task, infer_split(task), seed=1), tmp_path / "input")
    assert (tmp_path / "input/words.txt").stat().st_mode & 0o777 == 0o444
    assert (data / "words.txt").stat().st_mode & 0o777 == 0o600


def test_runs_inside_the_task_are_not_its_data(data: Path, tmp_path: Path) -> None:
    random_task(data)
    run = data / "runs" / "first"
    (run / "blobs").mkdir(parents=True)
    (run / "settings.json").write_text("{}")
    (run / "submission.csv").write_bytes((data / "sample_submission.csv").read_bytes())
    task = Task.load(data, metric="accuracy")
    assert task.spec.sample_submission == "sample_submission.csv"
    assert "runs" not in [file.file for file in task.statistics]
    stage(task, search_holdout(task, infer_split(task), seed=1), tmp_path / "input")
    assert not (tmp_path / "input/runs").exists()


def test_links_out_of_the_input_are_rejected(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    (tmp_path / "secret.txt").write_text("not yours")
    (data / "words.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(HoldoutError, match="words"):
        stage_holdout(task, tmp_path / "input")


def test_a_folder_inside_the_task_does_not_stage_itself(data: Path) -> None:
    task = random_task(data)
    holdout = stage_holdout(task, data / "runs/one/input")
    assert not (data / "runs/one/input/runs").exists()
    assert len(holdout.withheld) == len(pd.read_csv(data / "runs/one/input/test.csv"))


@pytest.mark.parametrize("name", ["label", "grade"])
def test_other_tables_lose_the_labels_of_withheld_rows(data: Path, tmp_path: Path, name: str) -> None:
    random_task(data)
    labels = pd.read_csv(data / "train.csv")[["id", "label"]].rename(columns={"label": name})
    labels.to_csv(data / "extra.csv", index=False)
    task = Task.load(data, metric="accuracy", train="train.csv")
    holdout = stage_holdout(task, tmp_path / "input")
    staged = pd.read_csv(tmp_path / "input/extra.csv")["id"]
    assert set(staged) == set(labels["id"].iloc[holdout.train])


def test_other_tables_lose_labels_by_a_shared_key(data: Path, tmp_path: Path) -> None:
    frame = make_rows(400)
    frame.insert(1, "when", pd.date_range("2020-01-01", periods=400).strftime("%Y-%m-%d"))
    train, test = divide(frame, np.arange(400) >= 300)
    train[["when", "label"]].to_csv(data / "history.csv", index=False)
    task = make_task(data, train, test, train="train.csv")
    plan = infer_split(task)
    for holdout in (search_holdout(task, plan, seed=1), *fresh_holdouts(task, plan, seed=1, count=1)):
        stage(task, holdout, tmp_path / holdout.name)
        assert len(pd.read_csv(tmp_path / holdout.name / "history.csv")) == len(holdout.train)


def test_other_tables_that_cover_test_are_kept_whole(data: Path, tmp_path: Path) -> None:
    train, test = divide(make_rows(300), np.arange(300) % 3 == 0)
    train.insert(1, "weight", train["id"] * 2)
    ids = pd.concat([train["id"], test["id"]])
    pd.DataFrame({"id": ids, "weight": ids * 2}).to_csv(data / "extra.csv", index=False)
    task = make_task(data, train, test, train="train.csv", test="test.csv")
    assert task.spec.train_only == ("weight",)
    stage_holdout(task, tmp_path / "input")
    assert (tmp_path / "input/extra.csv").read_bytes() == (data / "extra.csv").read_bytes()


def test_labels_without_a_key_are_left_out(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    pd.DataFrame({"label": ["yes", "no"] * 50}).to_csv(data / "answers.csv", index=False)
    task = Task.load(data, metric="accuracy")
    stage_holdout(task, tmp_path / "input")
    assert not (tmp_path / "input/answers.csv").exists()


def test_paths_that_name_their_class_are_replaced(data: Path, tmp_path: Path) -> None:
    frame = make_rows(200)
    frame.insert(1, "file", [f"images/{label}/{row}.png" for row, label in enumerate(frame["label"])])
    for name in frame["file"]:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    train, test = divide(frame, np.arange(200) % 3 == 0)
    task = make_task(data, train, test)
    holdout = search_holdout(task, SplitPlan(kind="random", fraction=0.3), seed=1)
    stage(task, holdout, tmp_path / "input")
    staged = pd.read_csv(tmp_path / "input/test.csv")
    assert len(staged) == len(holdout.withheld)
    assert not staged["file"].str.contains("yes|no").any()
    assert all((tmp_path / "input" / name).is_file() for name in staged["file"])


def test_nothing_is_left_behind_when_staging_fails(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    (data / "words.txt").symlink_to(__file__)
    with pytest.raises(HoldoutError):
        stage_holdout(task, tmp_path / "input")
    assert [path.name for path in tmp_path.iterdir()] == ["task"]


def test_the_real_input_is_staged_unchanged(data: Path, tmp_path: Path) -> None:
    task = random_task(data)
    assert stage(task, None, tmp_path / "input") == manifest(data)


def test_without_a_test_file_a_part_of_train_stands_for_it_in_the_real_input(data: Path, tmp_path: Path) -> None:
    """So many rows that neither train nor its usual folds are as long."""
    pd.DataFrame({"x": range(60), "y": [n % 7 for n in range(60)]}).to_csv(data / "rows.csv", index=False)
    (data / "task.toml").write_text('target = "y"\n', encoding="utf-8")
    task = Task.load(data)
    input_ = tmp_path / "input"
    content = stage(task, None, input_)
    rows = pd.read_csv(input_ / "test.csv")
    assert rows["x"].tolist() == list(range(23))
    assert len(pd.read_csv(input_ / "rows.csv")) == 60
    # An older version put all rows of train there.
    (tmp_path / "input.sha256").write_text(f"{content} all", encoding="utf-8")
    stage(task, None, input_)
    assert "in place of a test" in (tmp_path / "input.sha256").read_text()
