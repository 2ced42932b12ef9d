"""Side files: labels of withheld rows cannot be read from what is staged, and features stay as they are."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Holdout, search_holdout, stage
from mlestar.evaluation.holdout.plan import SplitPlan
from tests.unit.revealing_folders import LEAKS, LEGITIMATE, load_task, make_frame, write_sides, write_task

CHANCE = 0.3
"""What the best of hundreds of ways to join gains by chance, on the few rows that it joins."""
SEEDS = (0, 1)
PLAN = SplitPlan(kind="random", fraction=0.3)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    folder.mkdir()
    return folder


def stage_sides(task: Task, folder: Path) -> Holdout:
    holdout = search_holdout(task, PLAN, seed=1)
    stage(task, holdout, folder)
    return holdout


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LEAKS)
def test_a_script_cannot_read_withheld_labels(data: Path, tmp_path: Path, name: str, seed: int) -> None:
    kind, side = LEAKS[name]
    train, test = write_task(data, make_frame(seed, kind=kind), seed)
    (file, *_) = write_sides(data, side, train, test, seed)
    task = load_task(data, kind=kind)
    holdout = stage_sides(task, tmp_path / "input")
    staged = tmp_path / "input" / file
    if "cities" in name:
        assert not staged.exists() or "x" not in pd.read_csv(staged).columns
        return
    assert staged.is_file(), "the records of other rows stay"
    whole = len(pd.read_csv(data / file))
    assert whole * 0.5 < len(pd.read_csv(staged)) < whole
    assert attack(tmp_path / "input", task, holdout, file) < CHANCE < attack(data, task, holdout, file)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LEGITIMATE)
def test_features_are_staged_as_they_are(data: Path, tmp_path: Path, name: str, seed: int) -> None:
    kind, side = LEGITIMATE[name]
    train, test = write_task(data, make_frame(seed, kind=kind), seed)
    files = write_sides(data, side, train, test, seed)
    stage_sides(load_task(data, kind=kind), tmp_path / "input")
    for file in files:
        assert (tmp_path / "input" / file).read_bytes() == (data / file).read_bytes()


def attack(staged: Path, task: Task, holdout: Holdout, file: str) -> float:
    """Return the share of the withheld labels that a script can read from a side file, above guessing.

    It joins the file by each of its columns and pairs of columns, and by the order of the rows, learns from the rows
    of train which value goes with which label, and predicts each withheld row by the nearest value.
    """
    side = pd.read_csv(staged / file, dtype=str)
    rows = task.train.rows
    labels = rows[task.spec.target[0]].to_numpy()
    if task.spec.problem == "regression":
        labels = pd.qcut(labels.astype(float), 4).codes
    keys = [_last_numbers(rows[column]) for column in rows.columns[:-1]]
    keys += [keys[1] + "/" + keys[3], pd.Series(np.arange(len(rows)).astype(str))]
    keys.append(pd.Series((np.arange(len(rows)) + 1).astype(str)))
    theirs = [_last_numbers(side[column]) for column in side.columns]
    theirs += [one + "/" + other for one, other in itertools.permutations(theirs, 2)]
    theirs.append(pd.Series(np.arange(len(side)).astype(str)))
    return max(
        _gain(side[value], labels, _places(own, their), holdout)
        for value in side.columns
        for own in keys
        for their in theirs
    )


def _places(own: "pd.Series[str]", their: "pd.Series[str]") -> np.ndarray:
    """Return the record of each row of train by a key; -1 where there is none."""
    index = pd.Index(their)
    return pd.Index(index.drop_duplicates()).get_indexer(own) if index.is_unique else _first(index, own)


def _first(index: "pd.Index[str]", own: "pd.Series[str]") -> np.ndarray:
    first = np.flatnonzero(~index.duplicated())
    places = index[first].get_indexer(own)
    return np.where(places >= 0, first[places], -1)


def _gain(values: "pd.Series[str]", labels: np.ndarray, places: np.ndarray, holdout: Holdout) -> float:
    known = holdout.train[places[holdout.train] >= 0]
    asked = holdout.withheld[places[holdout.withheld] >= 0]
    if len(known) < 50 or not len(asked):
        return 0.0
    codes = pd.to_numeric(values, errors="coerce")
    codes = codes if codes.notna().all() else pd.Series(pd.factorize(values)[0])
    shown, asking = codes.to_numpy()[places[known]], codes.to_numpy()[places[asked]]
    order = np.argsort(shown, kind="stable")
    nearest = np.clip(np.searchsorted(shown[order], asking), 0, len(known) - 1)
    hits = np.mean(labels[known][order][nearest] == labels[asked])
    guess = pd.Series(labels[holdout.withheld]).value_counts(normalize=True).iloc[0]
    return float(max(hits - guess, 0) / (1 - guess) * len(asked) / len(holdout.withheld))


def _last_numbers(cells: "pd.Series[str]") -> "pd.Series[str]":
    return cells.str.extract(r"([\d.]*\d)\D*$")[0].str.lstrip("0").fillna("none").reset_index(drop=True)
