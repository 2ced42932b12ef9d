"""Whole runs on files that are no tables: scripts are executed and graded, and their submission is checked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import mlestar
from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from mlestar.runners import LocalRunner
from tests.unit.scenario import SMALL, Scenario, fence

CLASSES = """
import csv, os

words = {}
for label in os.listdir("input/train"):
    for name in os.listdir(f"input/train/{label}"):
        with open(f"input/train/{label}/{name}") as file:
            words[file.read().split()[0]] = label
print("Final Validation Performance: 0.9")
with open("submission.csv", "w", newline="") as out:
    writer = csv.writer(out)
    writer.writerow(["id", "label"])
    for name in os.listdir("input/test"):
        with open(f"input/test/{name}") as file:
            writer.writerow([name, words[file.read().split()[0]]])
"""
ARRAYS = """
import numpy as np
import pandas as pd

with np.load("input/train.npz", allow_pickle=False) as train, np.load("input/test.npz", allow_pickle=False) as test:
    factor = float((train["y"] / train["x"][:, 0]).mean())
    predicted = test["x"][:, 0] * factor
print("Final Validation Performance: 0.1")
pd.DataFrame({"y": predicted}).to_csv("submission.csv", index=False)
"""
PIXELS = """
import numpy as np
import pandas as pd
from PIL import Image

sample = pd.read_csv("input/sampleSubmission.csv")
names = sample["id"].str.rsplit("_", n=2).str[0].unique()
pictures = [np.asarray(Image.open(f"input/test/{name}.png"), dtype=float) for name in names]
sample["value"] = np.concatenate([picture.reshape(-1) for picture in pictures]) * 2 / 255
print("Final Validation Performance: 0.1")
sample.to_csv("submission.csv", index=False)
"""


def write_classes(folder: Path) -> None:
    for label in ("blue", "red"):
        (folder / label).mkdir(parents=True)
        for number in range(80):
            (folder / label / f"{number}.txt").write_text(f"{label}word text {number}")
    (folder.parent / "task.md").write_text("Predict the colour; accuracy.")


def write_arrays(folder: Path) -> None:
    folder.mkdir(parents=True)
    x = np.random.default_rng(0).random((300, 4)) + 1
    np.savez(folder / "train.npz", x=x[:200], y=x[:200, 0] * 3)
    np.savez(folder / "test.npz", x=x[200:])
    (folder.parent / "task.md").write_text("Predict `y`; RMSE.")


def write_pixels(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines: list[str] = []
    for number in range(60):
        clean = rng.integers(0, 127, (5, 4), dtype=np.uint8) * 2
        side = "train" if number < 45 else "test"
        for name, pixels in ((side, clean // 2), *([("train_cleaned", clean)] if number < 45 else [])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
        if number >= 45:
            lines += [f"{number}_{row}_{column}" for row in range(1, 6) for column in range(1, 5)]
    pd.DataFrame({"id": lines, "value": 1}).to_csv(folder / "sampleSubmission.csv", index=False)
    (folder.parent / "task.md").write_text("Clean the pictures; RMSE.")


@pytest.mark.parametrize(
    ("write", "script", "score", "submitted"),
    [
        (lambda folder: write_classes(folder / "train"), CLASSES, 1.0, False),
        (write_arrays, ARRAYS, 0.0, True),
        (write_pixels, PIXELS, 0.0, True),
    ],
    ids=["class folders", "arrays", "pixels"],
)
def test_a_run_solves_it(
    write: Callable[[Path], None], script: str, score: float, submitted: bool, tmp_path: Path
) -> None:
    write(tmp_path / "task/input")
    scenario = Scenario(initializer=[fence(f"# {n}\n{script}") for n in range(2)], merger="no code")
    settings = {**SMALL, "outer_steps": 0, "goal": "Predict; RMSE" if score == 0 else "Predict; accuracy"}
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    result = mlestar.solve(
        tmp_path / "task", settings={**settings, "runs_dir": tmp_path / "runs"}, model=scenario.model(), runner=runner
    )
    assert result.status == "solved", result.message
    assert result.score is not None
    assert result.score.fresh == pytest.approx(score, abs=1e-9)
    assert (result.submission is not None) == submitted
    if result.submission is not None:
        assert check_submission(Task.load(tmp_path / "task"), Path(result.submission)) == ""
