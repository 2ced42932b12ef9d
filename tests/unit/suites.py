"""Small suites for tests of benchmarks."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.unit.scenario import make_task

ROWS = 400


def write_suite(folder: Path, names: Iterable[str]) -> Path:
    """Write a folder with `tasks` and `answers`, in which the label is whether `x` is positive."""
    for name in names:
        task = make_task(folder / "tasks" / name, ROWS)
        test = pd.read_csv(task / "test.csv")
        answers = folder / "answers" / name
        answers.mkdir(parents=True)
        test[["id"]].assign(label=np.where(test["x"] > 0, "yes", "no")).to_csv(answers / "answers.csv", index=False)
    return folder
