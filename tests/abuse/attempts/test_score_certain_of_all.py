"""A submission is certain of every class at once, so that no class costs anything.

Outcome: prevented.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Grader, infer_split, search_holdout
from tests.unit.holdout_folders import divide, make_rows


@pytest.mark.parametrize("cell", [1.0, 0.9, 1e-300])
def test_probabilities_of_a_row_are_divided_by_their_sum(tmp_path: Path, cell: float) -> None:
    rng = np.random.default_rng(0)
    frame = make_rows(600).assign(label=rng.choice(["a", "b", "c"], 600))
    train, test = divide(frame, rng.random(600) < 0.3)
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    test[["id"]].assign(a=0.4, b=0.3, c=0.3).to_csv(tmp_path / "sample_submission.csv", index=False)
    task = Task.load(tmp_path, metric="log_loss", target=["label"])
    holdout = search_holdout(task, infer_split(task), seed=1)
    ids = task.train.rows["id"].iloc[holdout.withheld]
    pd.DataFrame({"id": ids, "a": cell, "b": cell, "c": cell}).to_csv(tmp_path / "submission.csv", index=False)
    assert Grader(task, holdout).grade(tmp_path / "submission.csv").score == pytest.approx(np.log(3), abs=1e-6)
