"""Small generated tasks with answers, for other tools of a benchmark."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.rows import Graded, Standing
from mlestar.bench.suite import SuiteTask
from mlestar.metrics.spec import Direction

ROWS, TEST_ROWS = 400, 200


@dataclass
class AccuracyAnswers:
    """Grades the share of right labels."""

    labels: pd.Series
    metric: str = "accuracy"
    direction: Direction = "maximize"

    def grade(self, submission: Path) -> Graded:
        frame = pd.read_csv(submission, dtype=str).set_index("row")
        return Graded(score=float((frame.loc[self.labels.index, "grade"] == self.labels).mean()))

    def standing(self, score: float) -> Standing | None:
        return None


def make_task(folder: Path, *, informative: bool = True, style: str = "csv") -> SuiteTask:
    """Write a task with two classes; where it is not informative the labels are independent of the features."""
    rng = np.random.default_rng(0)
    count = ROWS + TEST_ROWS
    frame = pd.DataFrame(
        {
            "row": [f"r{number}" for number in range(count)],
            "size": rng.normal(size=count).round(4),
            "weight": rng.normal(size=count).round(4),
            "colour": rng.choice(["red", "green", "blue"], count),
        }
    )
    learnable = 2 * frame["size"] * frame["weight"] + frame["size"] + (frame["colour"] == "red")
    cause = learnable if informative else pd.Series(rng.normal(size=count))
    frame["grade"] = np.where(cause + 0.3 * rng.normal(size=count) > cause.median(), "good", "bad")
    _write(frame, folder, style)
    answers = frame.iloc[ROWS:].set_index("row")["grade"]
    return SuiteTask("grades", folder, AccuracyAnswers(answers))


def _write(frame: pd.DataFrame, folder: Path, style: str) -> None:
    folder.mkdir(parents=True)
    (folder / "description.md").write_text("Predict grade for every row. The metric is accuracy.\n")
    train, test = frame.iloc[:ROWS], frame.iloc[ROWS:].drop(columns="grade")
    if style == "json":
        for file, side in (("train", train), ("test", test)):
            outer = [name for name in ("row", "grade") if name in side]
            inner = side.drop(columns=outer).to_dict("records")
            records = [{**record, "of": of} for record, of in zip(side[outer].to_dict("records"), inner, strict=True)]
            (folder / f"{file}.json").write_text(json.dumps(records))
        return
    separator, decimal = (";", ",") if style == "german" else (",", ".")
    train.to_csv(folder / "train.csv", index=False, sep=separator, decimal=decimal)
    test.to_csv(folder / "test.csv", index=False, sep=separator, decimal=decimal)
