"""Tasks with a planted structure whose score on fresh holdouts must agree with that on the true labels of the test."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import Grader, fresh_holdouts, infer_split, stage
from mlestar.nodes.finalists import error_of_mean

SCRIPT = """
import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
features = [column for column in test.columns if column != "id"]
model = ExtraTreesRegressor(100, random_state=0, n_jobs=1).fit(train[features], train["y"])
pd.DataFrame({"id": test["id"], "y": model.predict(test[features])}).to_csv("submission.csv", index=False)
"""


@dataclass(frozen=True)
class Agreement:
    """Scores of one script, with their standard errors."""

    kind: str
    fresh: float
    fresh_error: float
    true: float
    true_error: float

    @property
    def within(self) -> bool:
        """The scores differ by at most two standard errors of their difference."""
        return abs(self.fresh - self.true) <= 2 * float(np.hypot(self.fresh_error, self.true_error))


def score_series(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return series, each a level and a random walk, of which the last fifth is test."""
    rng = np.random.default_rng([seed, 31])
    count, length = 60, 50
    levels = rng.normal(size=count) * 5
    walks = np.cumsum(rng.normal(size=(count, length)), axis=1) * 0.5
    frame = pd.DataFrame({"id": np.arange(count * length), "subject": np.repeat(np.arange(count), length)})
    frame["test_time"] = np.cumsum(rng.uniform(0.5, 1.5, (count, length)), axis=1).reshape(-1).round(4)
    frame["f"] = rng.normal(size=len(frame)).round(4)
    values = levels[:, None] + walks
    frame["y"] = (values.reshape(-1) + frame["f"] + rng.normal(size=len(frame)) * 0.1).round(4)
    return frame, np.tile(np.arange(length) >= 0.8 * length, count)


def score_space(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return places with a smooth field, of which some blocks are test."""
    rng = np.random.default_rng([seed, 32])
    rows, sides = 3000, 10
    x, y = rng.uniform(0, 10, rows), rng.uniform(0, 10, rows)
    waves = rng.normal(size=(40, 2)) * 1.5
    field = np.sin(x[:, None] * waves[:, 0] + y[:, None] * waves[:, 1] + rng.uniform(0, 6, 40)) @ rng.normal(size=40)
    frame = pd.DataFrame({"id": np.arange(rows), "easting": x.round(4), "northing": y.round(4)})
    frame["f"] = rng.normal(size=rows).round(4)
    frame["y"] = (field / 4 + 0.5 * frame["f"] + rng.normal(size=rows) * 0.1).round(4)
    blocks = (x * sides / 10).astype(int) * 100 + (y * sides / 10).astype(int)
    groups = np.unique(blocks)
    return frame, np.isin(blocks, rng.choice(groups, len(groups) // 4, replace=False))


def score_copies(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return items that were measured up to four times with little noise, of which some are test."""
    rng = np.random.default_rng([seed, 33])
    count = 500
    base = rng.normal(size=(count, 8))
    codes = np.repeat(np.arange(count), rng.integers(1, 5, count))
    values = base[codes] + rng.normal(size=(len(codes), 8)) * 0.01
    frame = pd.DataFrame({"id": rng.permutation(len(codes))})
    for number in range(8):
        frame[f"m{number}"] = values[:, number].round(5)
    frame["y"] = ((base @ rng.normal(size=8) + rng.normal(size=count) * 2)[codes]).round(4)
    return frame, np.isin(codes, rng.choice(count, count // 4, replace=False))


SCORED: dict[str, Callable[[int], tuple[pd.DataFrame, np.ndarray]]] = {
    "series": score_series,
    "space": score_space,
    "near copies": score_copies,
}


def agrees(make: Callable[[int], tuple[pd.DataFrame, np.ndarray]], seed: int, folder: Path) -> Agreement:
    """Grade the script on two fresh holdouts and on the true labels of the test."""
    frame, in_test = make(seed)
    train, truth = frame[~in_test], frame[in_test]
    source = folder / "task"
    source.mkdir()
    train.to_csv(source / "train.csv", index=False)
    truth.drop(columns="y").to_csv(source / "test.csv", index=False)
    truth[["id"]].assign(y=0.0).to_csv(source / "sample_submission.csv", index=False)
    task = Task.load(source, metric="mae")
    plan = infer_split(task)
    scores, errors = [], []
    for holdout in fresh_holdouts(task, plan, seed=seed, count=2):
        work = folder / holdout.name
        stage(task, holdout, work / "input")
        grade = Grader(task, holdout).grade(run(work))
        assert grade.score is not None, grade.problem
        scores.append(grade.score)
        errors.append(grade.standard_error or 0.0)
    stage(task, None, folder / "real" / "input")
    predicted = pd.read_csv(run(folder / "real"))
    losses = np.abs(predicted["y"].to_numpy() - truth["y"].to_numpy())
    units = pd.factorize(unit_names(plan.kind, frame, in_test))[0]
    sums, sizes = np.bincount(units, losses), np.bincount(units)
    draws = np.random.default_rng(0).integers(0, len(sums), (400, len(sums)))
    true_error = float((sums[draws].sum(axis=1) / sizes[draws].sum(axis=1)).std(ddof=1))
    fresh_error = error_of_mean(scores, errors)
    return Agreement(plan.kind, fmean(scores), fresh_error, float(losses.mean()), true_error)


def unit_names(kind: str, frame: pd.DataFrame, in_test: np.ndarray) -> pd.Series:
    """Return the planted unit of each test row: its series, its block or its item."""
    rows = frame[in_test]
    if "subject" in rows:
        return rows["subject"]
    if "easting" in rows:
        return rows["easting"].astype(int).astype(str) + " " + rows["northing"].astype(int).astype(str)
    return rows["y"]


def run(work: Path) -> Path:
    """Run the script in a folder and return its submission."""
    (work / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], cwd=work, check=True, timeout=300)
    return work / "submission.csv"
