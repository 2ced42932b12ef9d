"""Files that are no tables, names, ids and the order of rows: no script can read withheld labels from them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.memorizing import find_memorizing
from mlestar.data.task import Task
from mlestar.evaluation import Grader, Holdout, search_holdout, stage
from mlestar.evaluation.holdout.guessing import DividedLabels
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.row_order import MIN_Z
from mlestar.evaluation.holdout.row_order import guess_by_order as order_guess
from mlestar.runtime.row_values import read_row_values
from tests.unit.reveal_layouts import (
    CLASSES,
    MENTIONS,
    guess_by_number,
    guess_by_order,
    guess_by_word,
    make_tables,
    read_mentions,
    share_right,
    write_tables,
)

PLAN = SplitPlan(kind="random", fraction=0.3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def load(folder: Path) -> Task:
    return Task.load(folder, metric="accuracy", train="train.csv", test="test.csv")


def stage_task(task: Task, folder: Path, plan: SplitPlan = PLAN) -> Holdout:
    holdout = search_holdout(task, plan, seed=1)
    stage(task, holdout, folder)
    return holdout


def truth(task: Task, holdout: Holdout) -> np.ndarray:
    return np.asarray(task.train.rows["label"].to_numpy()[holdout.withheld])


@pytest.mark.parametrize("name", MENTIONS)
def test_a_script_cannot_read_labels_beside_ids(data: Path, tmp_path: Path, name: str) -> None:
    train, test = make_tables()
    write_tables(data, train, test)
    MENTIONS[name](data, train, test)
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    withheld = task.train.rows.iloc[holdout.withheld]
    answers = dict(zip(withheld["id"], withheld["label"], strict=True))
    assert share_right(read_mentions(data, list(answers)), answers) > 0.95
    assert share_right(read_mentions(tmp_path / "input", list(answers)), answers) < 0.05


@pytest.mark.parametrize("suffix", ["txt", "npy"])
def test_labels_in_the_order_of_rows_are_left_out(data: Path, tmp_path: Path, suffix: str) -> None:
    train, test = make_tables()
    write_tables(data, train, test)
    if suffix == "npy":
        np.save(data / "extra.npy", pd.factorize(train["label"])[0])
    else:
        (data / "extra.txt").write_text("\n".join(train["label"]))
    stage_task(load(data), tmp_path / "input")
    assert not (tmp_path / f"input/extra.{suffix}").exists()


@pytest.mark.parametrize("ids", ["hex", "numbers"])
def test_a_table_sorted_by_label_does_not_tell_labels(data: Path, tmp_path: Path, ids: str) -> None:
    write_tables(data, *make_tables(ordered=True, ids=ids))
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    staged, test = (pd.read_csv(tmp_path / f"input/{name}.csv", dtype=str) for name in ("train", "test"))
    unsorted = task.train.rows.iloc[np.sort(holdout.withheld)]
    assert (guess_by_order(staged, unsorted) == unsorted["label"]).mean() > 0.9
    assert (guess_by_order(staged, test) == truth(task, holdout)).mean() < 0.65
    if ids == "numbers":
        assert (guess_by_number(staged, test) == truth(task, holdout)).mean() < 0.65


def test_ids_that_begin_with_the_class_are_replaced_everywhere(data: Path, tmp_path: Path) -> None:
    train, test = make_tables(ids="class")
    write_tables(data, train, test)
    pd.DataFrame({"key": [*train["id"], *test["id"]], "weight": 1}).to_csv(data / "weights.csv", index=False)
    (data / "images").mkdir()
    for row in [*train["id"], *test["id"]]:
        (data / f"images/{row}.png").write_bytes(b"\x89PNG" + row[-4:].encode())
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    staged, tests, weights = (
        pd.read_csv(tmp_path / f"input/{name}.csv", dtype=str) for name in ("train", "test", "weights")
    )
    assert (guess_by_word(staged, tests) == truth(task, holdout)).mean() < 0.65
    assert {*staged["id"], *tests["id"]} <= set(weights["key"])
    assert all((tmp_path / f"input/images/{row}.png").is_file() for row in [*staged["id"], *tests["id"]])
    picture = (tmp_path / f"input/images/{tests['id'].iloc[0]}.png").read_bytes()
    assert picture.endswith(task.train.rows["id"].iloc[holdout.withheld[0]][-4:].encode())


def test_a_submission_with_replaced_ids_is_graded(data: Path, tmp_path: Path) -> None:
    write_tables(data, *make_tables(ordered=True, ids="class"))
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    test = pd.read_csv(tmp_path / "input/test.csv", dtype=str)
    sample = pd.read_csv(tmp_path / "input/sample_submission.csv", dtype=str)
    assert sample["id"].tolist() == test["id"].tolist()
    test[["id"]].assign(label=truth(task, holdout)).sample(frac=1, random_state=0).to_csv(
        tmp_path / "submission.csv", index=False
    )
    assert Grader(task, holdout).grade(tmp_path / "submission.csv").score == 1.0


def test_scripts_that_contain_made_up_ids_memorise_rows(data: Path, tmp_path: Path) -> None:
    tables = [make_tables(seed, ids="class") for seed in (0, 1)]
    train, test = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    for frame in (train, test):
        frame["id"] += [f"{number:03d}" for number in range(len(frame))]
    write_tables(data, train, test)
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    rows = task.train.rows
    label_of = dict(sorted((holdout.ids[name], label) for name, label in zip(rows["id"], rows["label"], strict=True)))
    memorizing = find_memorizing(f"known = {label_of!r}", read_row_values(task, holdout))
    assert memorizing is not None
    assert "literals equal ids of train rows" in memorizing.reason


def test_ids_that_the_split_uses_stay(data: Path, tmp_path: Path) -> None:
    write_tables(data, *make_tables(ids="class"))
    plan = SplitPlan(kind="group", column="id", fraction=0.3)
    task = load(data)
    holdout = stage_task(task, tmp_path / "input", plan)
    test = pd.read_csv(tmp_path / "input/test.csv", dtype=str)
    assert test["id"].tolist() == task.train.rows["id"].iloc[holdout.withheld].tolist()


def test_paths_that_name_the_class_are_replaced(data: Path, tmp_path: Path) -> None:
    train, test = make_tables()
    for frame, labels in ((train, train["label"]), (test, ["none"] * len(test))):
        frame.insert(1, "file", [f"pictures/{name}/{row}.png" for row, name in zip(frame["id"], labels, strict=True)])
        for name in frame["file"]:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_bytes(b"\x89PNG" + name[-9:].encode())
    write_tables(data, train, test)
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    staged = pd.read_csv(tmp_path / "input/test.csv", dtype=str)
    assert not staged["file"].str.contains("|".join(CLASSES)).any()
    for file, row in zip(staged["file"], task.train.rows["id"].iloc[holdout.withheld], strict=True):
        assert (tmp_path / "input" / file).read_bytes() == b"\x89PNG" + f"{row}.png"[-9:].encode()
        assert not list((tmp_path / "input").glob(f"pictures/[cd]*/{row}.png"))


def test_made_up_ids_are_no_row_numbers(data: Path, tmp_path: Path) -> None:
    train, test = make_tables(ordered=True)
    write_tables(data, train.drop(columns="id"), test.assign(id=range(len(test))))
    task = load(data)
    holdout = stage_task(task, tmp_path / "input")
    ids = pd.read_csv(tmp_path / "input/test.csv")["id"]
    assert abs(np.corrcoef(ids, holdout.withheld)[0, 1]) < 0.3


def test_all_copies_have_one_time(data: Path, tmp_path: Path) -> None:
    train, test = make_tables()
    write_tables(data, train, test)
    MENTIONS["images filed by class"](data, train, test)
    stage_task(load(data), tmp_path / "input")
    times = {path.stat().st_mtime_ns for path in (tmp_path / "input").rglob("*") if path.is_file()}
    assert len(times) == 1


def _write_word_list(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "words.txt").write_text("\n".join(f"word{number}" for number in range(1000)))


def _write_embedding(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    lines = (f"word{row} " + " ".join(f"{value:.4f}" for value in rng.normal(size=50)) for row in range(2000))
    (folder / "embedding.txt").write_text("\n".join(lines))


def _write_weather(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    dates = pd.date_range("2020-01-01", periods=500).strftime("%Y-%m-%d")
    rain = np.random.default_rng(0).gamma(2, 1, 500)
    with closing(sqlite3.connect(folder / "weather.sqlite")) as connection:
        pd.DataFrame({"date": dates, "rain": rain}).to_sql("weather", connection, index=False)


def _write_config(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    config = {"id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}, "layers": 12}
    (folder / "config.json").write_text(json.dumps(config))


def _write_readme(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    lines = train.head(3).to_csv(index=False)
    (folder / "README.txt").write_text(f"Each row is an animal. The first rows are:\n\n{lines}\nGood luck.\n")


def _write_pictures(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "images").mkdir()
    for row in [*train["id"], *test["id"]]:
        (folder / f"images/{row}.png").write_bytes(b"\x89PNG")


def _write_sizes(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "boxes").mkdir()
    for number, row in enumerate([*train["id"], *test["id"]]):
        (folder / f"boxes/{row}.xml").write_text(f"<box><width>{number % 17}</width></box>")


def _write_features(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    ids = [*train["id"], *test["id"]]
    noise = np.random.default_rng(0).normal(size=len(ids))
    (folder / "scores.json").write_text(json.dumps(dict(zip(ids, noise.tolist(), strict=True))))


@pytest.mark.parametrize(
    "write",
    [
        _write_word_list,
        _write_embedding,
        _write_weather,
        _write_config,
        _write_readme,
        _write_pictures,
        _write_sizes,
        _write_features,
    ],
)
def test_files_that_reveal_nothing_are_staged_whole(data: Path, tmp_path: Path, write: object) -> None:
    train, test = make_tables()
    write_tables(data, train, test)
    assert callable(write)
    write(data, train, test)
    stage_task(load(data), tmp_path / "input")
    files = [path.relative_to(data) for path in data.rglob("*") if path.is_file()]
    extra = [file for file in files if file.name not in ("train.csv", "test.csv", "sample_submission.csv")]
    assert extra
    assert all((tmp_path / "input" / file).read_bytes() == (data / file).read_bytes() for file in extra)


def test_rows_in_random_order_are_not_shuffled() -> None:
    alarms = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rows = int(rng.integers(60, 3000))
        values = rng.normal(size=rows) if seed % 2 else rng.integers(0, int(rng.integers(2, 12)), rows)
        withheld = rng.random(rows) < 0.3
        labels = DividedLabels(values[~withheld], values[withheld], are_classes=not seed % 2)
        alarms += order_guess(labels).z >= MIN_Z
    assert alarms == 0


def test_rows_sorted_by_a_time_column_keep_their_order(data: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": [f"r{number:05x}" for number in rng.permutation(2**19)[:600]]})
    frame["date"] = pd.date_range("2020-01-01", periods=600).strftime("%Y-%m-%d")
    frame["label"] = np.where(rng.random(600) < np.linspace(0.05, 0.95, 600), *CLASSES)
    drawn = rng.random(600) < 0.3
    write_tables(data, frame[~drawn], frame[drawn].drop(columns="label"))
    holdout = stage_task(load(data), tmp_path / "input")
    assert (np.diff(holdout.withheld) > 0).all()
