"""Task folders whose side files hold labels in some form, and the share of withheld ones that a script reads there."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import Holdout, search_holdout, stage
from mlestar.evaluation.holdout.plan import SplitPlan
from tests.unit.reveal_layouts import CLASSES, make_tables, write_tables

PLAN = SplitPlan(kind="random", fraction=0.3)
CHANCE = 0.65
"""What a guess between two classes reaches at most."""
ALL = 0.95


@dataclass(frozen=True)
class Rows:
    """What the author of a task knows: ids and labels of train, and the ids of test."""

    pairs: list[tuple[str, str]]
    tests: list[str]
    train: pd.DataFrame

    def by_class(self) -> dict[str, list[str]]:
        return {name: [row for row, label in self.pairs if label == name] for name in CLASSES}

    def lines(self, mark: str = ",") -> str:
        return "\n".join(f"{row}{mark}{label}" for row, label in self.pairs)


Write = Callable[[Path, Rows], None]
"""Writes the side files into a task folder."""
Read = Callable[[Path, list[str]], Mapping[str, str]]
"""Reads labels by id from a folder, given the ids that are asked for, as a hostile script would."""


@dataclass(frozen=True)
class Outcome:
    """The shares of the withheld labels that were read, and what was staged."""

    before: float
    """From the folder of the task."""
    after: float
    """From the staged input."""
    task: Task
    holdout: Holdout
    staged: Path


def steal(folder: Path, write: Write, read: Read, *, ordered: bool = False) -> Outcome:
    """Write a task with side files, stage its holdout, and read the withheld labels from both folders."""
    data, staged = folder / "task", folder / "input"
    data.mkdir()
    train, test = make_tables(ordered=ordered)
    write_tables(data, train, test)
    write(data, Rows(list(zip(train["id"], train["label"], strict=True)), test["id"].tolist(), train))
    task, holdout = stage_task(data, staged)
    rows = task.train.rows.iloc[holdout.withheld]
    truth = dict(zip(rows["id"], rows["label"], strict=True))
    return Outcome(_share(read, data, truth), _share(read, staged, truth), task, holdout, staged)


def stage_task(data: Path, staged: Path) -> tuple[Task, Holdout]:
    """Read a task folder and stage a holdout of it."""
    train, test = _table(data, "train"), _table(data, "test")
    task = Task.load(
        data, metric="accuracy", train=train, test=test, id="id", sample_submission="sample_submission.csv"
    )
    holdout = search_holdout(task, PLAN, seed=1)
    stage(task, holdout, staged)
    return task, holdout


def _table(folder: Path, name: str) -> str:
    return f"{name}.jsonl" if (folder / f"{name}.jsonl").exists() else f"{name}.csv"


def _share(read: Read, folder: Path, truth: Mapping[str, str]) -> float:
    try:
        known = read(folder, list(truth))
    except FileNotFoundError:
        return 0.0
    return float(np.mean([known.get(row) == label for row, label in truth.items()]))


def beside(text: str, ids: list[str]) -> dict[str, str]:
    """Return for each id the first name of a class after it in a text."""
    found: dict[str, str] = {}
    pattern = re.compile("|".join([*CLASSES, *sorted(ids)]))
    waiting: str | None = None
    for match in pattern.finditer(text):
        if match[0] in CLASSES:
            if waiting is not None:
                found.setdefault(waiting, match[0])
            waiting = None
        else:
            waiting = match[0]
    return found


def under(text: str, ids: list[str]) -> dict[str, str]:
    """Return for each id the last name of a class before it in a text."""
    found: dict[str, str] = {}
    heading = ""
    for match in re.finditer("|".join([*CLASSES, *sorted(ids)]), text):
        heading = match[0] if match[0] in CLASSES else heading
        if match[0] not in CLASSES:
            found.setdefault(match[0], heading)
    return found


def text_of(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode("latin-1")


def learn(values: Mapping[str, str], folder: Path, ids: list[str]) -> dict[str, str]:
    """Return the class that most rows of train with the same value have, for each id with a value."""
    train = pd.read_csv(folder / "train.csv", dtype=str)
    known = [(values[row], label) for row, label in zip(train["id"], train["label"], strict=True) if row in values]
    usual = pd.DataFrame(known, columns=["value", "label"]).groupby("value")["label"].agg(lambda part: part.mode()[0])
    return {row: usual.get(values[row], CLASSES[0]) for row in ids if row in values}


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))
