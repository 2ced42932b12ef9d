"""The built-in demonstration: a task made from data that ships inside scikit-learn, with labels nobody sees."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from sklearn.datasets import load_diabetes
from sklearn.metrics import root_mean_squared_error

from mlestar.errors import UserError
from mlestar.report import Result

DESCRIPTION = """# Diabetes: how far will it progress?

Ten measurements of diabetes patients at the start of a study, and a measure of how far the disease had progressed one
year later.

## Files
- `train.csv` - patients with the outcome, column `progression`.
- `test.csv` - patients whose outcome is to be predicted.
- `sample_submission.csv` - a submission in the right format.

## Columns
- `patient` - row id. `age` in years, `sex`, `bmi` (body mass index), `bp` (mean blood pressure).
- `s1` .. `s6` - blood serum: total cholesterol, low- and high-density lipoproteins, their ratio, log of triglycerides,
  blood sugar.

## Evaluation
Root mean squared error; lower is better.
"""
TEST_SHARE = 0.3


def make_demo(folder: Path) -> Path:
    """Write the task folder and return it.

    Raises:
        UserError: the folder cannot be written.
    """
    train, test, _ = _split()
    try:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "input").mkdir(parents=True)
        (folder / "task.md").write_text(DESCRIPTION, encoding="utf-8")
        train.to_csv(folder / "input/train.csv", index=False)
        test.to_csv(folder / "input/test.csv", index=False)
        sample = pd.DataFrame({"patient": test["patient"], "progression": 150.0})
        sample.to_csv(folder / "input/sample_submission.csv", index=False)
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}; choose another folder with --runs-dir"
        raise UserError(msg) from error
    return folder


def grade_demo(console: Console, result: Result) -> None:
    """Print how the submission does on the labels that were never in the task folder."""
    if not result.submission:
        return
    _, test, truth = _split()
    submission = pd.read_csv(result.submission).set_index("patient").loc[test["patient"], "progression"]
    score = root_mean_squared_error(truth, submission)
    console.print(f"graded     {score:.5g} on the real test labels, which were never in the folder", highlight=False)


def _split() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return train with the target, test without it, and the test's target."""
    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    frame.insert(0, "patient", np.arange(1, len(frame) + 1))
    held = np.random.default_rng(7).permutation(len(frame)) < TEST_SHARE * len(frame)
    train, test = frame[~held], frame[held]
    return train, test.drop(columns="progression"), test["progression"].to_numpy()
