"""Tables of tokens with an id of two columns, and auxiliary tables that are joined by keys."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from tests.unit.layout_folders import grade, stage_search, withheld_cells, write_table


def tokens(sentences: int, first: int = 0, seed: int = 0) -> pd.DataFrame:
    """Return tokens of sentences: the word in capitals is what `after` holds."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 9, sentences)
    frame = pd.DataFrame({"sentence_id": np.repeat(np.arange(first, first + sentences), lengths)})
    frame["token_id"] = frame.groupby("sentence_id").cumcount()
    frame["before"] = [f"w{number}" for number in rng.integers(0, 500, len(frame))]
    return frame.assign(after=frame["before"].str.upper())


def token_task(folder: Path, separator: str = "_", first: int = 0) -> Task:
    train, test = tokens(80), tokens(30, first, seed=1)
    ids = test["sentence_id"].astype(str) + separator + test["token_id"].astype(str)
    write_table(folder / "train.csv", train)
    write_table(folder / "test.csv", test.drop(columns="after"))
    write_table(folder / "sample_submission.csv", pd.DataFrame({"id": ids, "after": "x"}))
    return Task.load(folder, metric="exact_match")


@pytest.mark.parametrize("separator", ["_", "-", ":"])
def test_an_id_of_two_columns_is_recognised(separator: str, tmp_path: Path) -> None:
    task = token_task(tmp_path / "task", separator)
    assert (task.spec.id, task.spec.target) == ("id", ("after",))
    assert f"id of the submission is sentence_id and token_id joined by {separator!r}" in task.spec.layout_note
    holdout = stage_search(task, tmp_path / "input")
    test = pd.read_csv(tmp_path / "input/test.csv", dtype=str)
    sample = pd.read_csv(tmp_path / "input/sample_submission.csv", dtype=str)
    assert list(test) == ["sentence_id", "token_id", "before"]
    assert list(sample["id"]) == list(test["sentence_id"] + separator + test["token_id"])
    assert list(pd.read_csv(tmp_path / "input/train.csv")) == ["sentence_id", "token_id", "before", "after"]
    assert grade(task, holdout, withheld_cells(task, holdout), tmp_path / "right.csv") == 1.0


def test_the_submission_for_the_real_tokens_is_checked(tmp_path: Path) -> None:
    task = token_task(tmp_path / "task")
    sample = pd.read_csv(tmp_path / "task/sample_submission.csv", dtype=str)
    sample.assign(after="W").to_csv(tmp_path / "submission.csv", index=False)
    assert check_submission(task, tmp_path / "submission.csv") == ""
    sample.assign(after="W", id="9_9").to_csv(tmp_path / "submission.csv", index=False)
    assert "duplicate id" in check_submission(task, tmp_path / "submission.csv")


@pytest.mark.parametrize("first", [0, 1000])
def test_whole_sentences_are_withheld(first: int, tmp_path: Path) -> None:
    task = token_task(tmp_path / "task", first=first)
    holdout = stage_search(task, tmp_path / "input")
    sentences = task.train.rows["sentence_id"].to_numpy()
    assert not set(sentences[holdout.train]) & set(sentences[holdout.withheld])
    assert task.spec.split == ("group:sentence_id" if first == 0 else None)


def test_a_split_that_is_set_is_kept(tmp_path: Path) -> None:
    token_task(tmp_path / "task")
    assert Task.load(tmp_path / "task", metric="exact_match", split="random").spec.split == "random"


def test_other_tables_are_described_by_their_keys(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    customers = pd.DataFrame({"customer_id": [f"c{number}" for number in range(200)], "age": rng.integers(20, 80, 200)})
    train, test = customers.iloc[:150].assign(y=rng.integers(0, 2, 150)), customers.iloc[150:]
    orders = pd.DataFrame({"customer_id": np.repeat(customers["customer_id"], 3), "amount": rng.normal(size=600)})
    regions = pd.DataFrame({"customer": customers["customer_id"], "region": rng.choice(["n", "s"], 200)})
    notes = pd.DataFrame({"word": ["a", "b"], "weight": [1, 2]})
    for name, table in {
        "train": train,
        "test": test,
        "orders": orders,
        "regions": regions,
        "words": notes,
    }.items():
        write_table(tmp_path / f"{name}.csv", table)
    task = Task.load(tmp_path, metric="accuracy", target="y")
    lines = [note for note in task.notes if note.split(":")[0] in ("orders.csv", "regions.csv", "words.csv")]
    assert lines == [
        "orders.csv: joined by customer_id, one to many: 3.0 rows for each key on average",
        "regions.csv: joined by customer = customer_id of train, one row for each key",
        "words.csv: no column has the values of a column of train, so nothing says how to join it",
    ]
