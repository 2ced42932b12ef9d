"""Task folders that the holdout tests generate."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.task import Task


def make_task(
    folder: Path, train: pd.DataFrame, test: pd.DataFrame, metric: str = "accuracy", /, **overrides: Any
) -> Task:
    """Write train, test and a constant sample submission as CSV and load them; the target is the last train column."""
    target = train.columns[-1]
    sample = test[["id"]].assign(**{target: train[target].iloc[0]})
    for name, frame in (("train", train), ("test", test), ("sample_submission", sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    return Task.load(folder, metric=metric, **overrides)


def make_rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of an id, three features and a binary label."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(count), "size": rng.normal(size=count).round(3)})
    frame["colour"] = rng.choice(["red", "green", "blue"], count)
    frame["rank"] = rng.integers(0, 40, count)
    return frame.assign(label=rng.choice(["no", "yes"], count))


def divide(frame: pd.DataFrame, to_test: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split rows by a mask; the test part loses the last column."""
    return frame[~to_test].reset_index(drop=True), frame[to_test].iloc[:, :-1].reset_index(drop=True)


def random_task(folder: Path, count: int = 300, metric: str = "accuracy", **overrides: Any) -> Task:
    """Make a task whose test rows are a random sample."""
    frame = make_rows(count)
    if metric in ("mae", "rmsle"):
        frame["label"] = np.random.default_rng(1).gamma(2.0, 3.0, count).round(2)
    drawn = np.random.default_rng(2).random(count) < 0.3
    return make_task(folder, *divide(frame, drawn), metric, **overrides)
