"""Built-in examples: small tasks made from data that ship with scikit-learn, and the labels of their test rows."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from mlestar.errors import UserError

ExampleName = Literal["diabetes", "wine"]
EXAMPLE_NAMES: tuple[ExampleName, ...] = get_args(ExampleName)

DIABETES = """# Diabetes: how far will it progress?

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
WINE = """# Wine: which of three growers?

A chemical analysis of 178 wines from three growers of one region.

## Files
- `train.csv` - wines with their grower, column `grower`.
- `test.csv` - wines whose grower is to be predicted.
- `sample_submission.csv` - a submission in the right format.

## Columns
- `bottle` - row id. Thirteen measurements, from alcohol to proline.

## Evaluation
Classification accuracy.
"""
TEST_SHARE = 0.3
"""The share that the built-in tasks test on. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Example:
    """A built-in task: what its folder holds, and the labels of its test rows, which it does not hold."""

    description: str
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame
    truth: pd.Series
    """Target of the test rows, by row id."""


def load_example(name: ExampleName) -> Example:
    """Return a built-in example; the same rows every time."""
    return _LOADERS[name]()


def write_example(name: ExampleName, folder: Path) -> Path:
    """Write the task folder of a built-in example and return it.

    Raises:
        UserError: the folder cannot be written.
    """
    example = load_example(name)
    tables = {"train": example.train, "test": example.test, "sample_submission": example.sample}
    texts = {name: table.to_csv(index=False) for name, table in tables.items()}
    return write_task(folder, example.description, texts)


def write_task(folder: Path, description: str, tables: dict[str, str]) -> Path:
    """Write a task folder from a description and CSV texts by name, replace what is there, and return it.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "input").mkdir(parents=True)
        (folder / "task.md").write_text(description, encoding="utf-8")
        for name, text in tables.items():
            (folder / "input" / f"{name}.csv").write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}; choose another folder with --runs-dir"
        raise UserError(msg) from error
    return folder


def _diabetes() -> Example:
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    return _divide(frame, DIABETES, "patient", "progression", 150.0)


def _wine() -> Example:
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame.rename(columns={"target": "grower"})
    frame["grower"] = frame["grower"].map(dict(enumerate("ABC")))
    return _divide(frame, WINE, "bottle", "grower", "A")


def _divide(frame: pd.DataFrame, description: str, key: str, target: str, guess: float | str) -> Example:
    """Split a table into train, and test without the target."""
    frame.insert(0, key, np.arange(1, len(frame) + 1))
    in_test = np.random.default_rng(7).permutation(len(frame)) < TEST_SHARE * len(frame)
    train, test = frame[~in_test], frame[in_test]
    sample = test[[key]].assign(**{target: guess})
    return Example(description, train, test.drop(columns=target), sample, test.set_index(key)[target])


_LOADERS: dict[ExampleName, Callable[[], Example]] = {"diabetes": _diabetes, "wine": _wine}
