"""The built-in demonstration: a task made from data that ships inside scikit-learn, with labels nobody sees."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss

from mlestar.errors import UserError
from mlestar.report import Result

DESCRIPTION = """# Breast tumours: malignant or benign?

Measurements of cell nuclei in images of fine-needle aspirates of breast masses. Predict the probability that the mass
is benign.

## Files
- `train.csv` - measurements with the diagnosis, column `benign` (1 benign, 0 malignant).
- `test.csv` - measurements of the cases to predict.
- `sample_submission.csv` - a submission in the right format.

## Evaluation
Log loss of the predicted probability; lower is better.
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
        sample = pd.DataFrame({"id": test["id"], "benign": 0.5})
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
    submission = pd.read_csv(result.submission).set_index("id").loc[test["id"], "benign"]
    console.print(
        f"graded     {log_loss(truth, submission):.5g} on the real test labels, which were never in the folder"
    )


def _split() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return train with the target, test without it, and the test's target."""
    data = load_breast_cancer(as_frame=True)
    frame = data.frame.rename(columns={"target": "benign"})
    frame.insert(0, "id", [f"case_{number:04d}" for number in range(len(frame))])
    held = np.random.default_rng(7).permutation(len(frame)) < TEST_SHARE * len(frame)
    train, test = frame[~held], frame[held]
    return train, test.drop(columns="benign"), test["benign"].to_numpy()
