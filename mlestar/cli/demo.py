"""The built-in demonstration: the diabetes example, graded on labels that were never in its folder."""

import contextlib
from pathlib import Path

import pandas as pd
from rich.console import Console
from sklearn.metrics import root_mean_squared_error

from mlestar.data.examples import load_example, write_example
from mlestar.data.outputs import mark_runs_folder
from mlestar.report import Result


def make_demo(folder: Path) -> Path:
    """Write the task folder and return it.

    Raises:
        UserError: the folder cannot be written.
    """
    with contextlib.suppress(OSError):  # what cannot be written is reported next
        mark_runs_folder(folder.parent)
    return write_example("diabetes", folder)


def grade_demo(console: Console, result: Result) -> None:
    """Print the score of the submission on the labels that were never in the task folder."""
    if not result.submission:
        return
    truth = load_example("diabetes").truth
    submission = pd.read_csv(result.submission).set_index("patient").loc[truth.index, "progression"]
    score = root_mean_squared_error(truth, submission)
    console.print(f"graded     {score:.5g} on the real test labels, which were never in the folder", highlight=False)
