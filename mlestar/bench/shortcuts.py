"""Small generated tasks with a planted shortcut: something in the train data gives the labels away, but not in test.

A tool that uses the shortcut, or has it in the rows on which it scores itself, reports a better score than it gets on
the labels of the test rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.generated import write_task

FEATURES = ("age", "visits", "distance", "income", "tenure", "rating")
_TRAIN, _TEST = 2000, 1000
"""Rows. With 1,334 and more labelled rows a run keeps some apart (docs/scores.md)."""
_COPIES = 4
_WEIGHTS = np.array([1.0, -0.8, 0.6, 0.4, 0.0, 0.0])
"""Of the features: a model that knew them would reach an AUROC of about 0.8."""


@dataclass(frozen=True)
class Shortcut:
    """A generated task."""

    id: str
    what: str
    """The shortcut in a few words."""
    plain_score: float
    """What a logistic regression on the features without the shortcut reaches on the answers."""


@dataclass(frozen=True)
class Tables:
    """The tables of a task."""

    train: pd.DataFrame
    test: pd.DataFrame
    answers: pd.DataFrame
    side: pd.DataFrame | None = None
    """A further file, `closed.csv`."""


def write_shortcuts(folder: Path) -> tuple[Shortcut, ...]:
    """Write the tasks as a suite, `tasks/ID` and `answers/ID`, and return them; they are the same every time."""
    return tuple(_write(folder, identity, what, make) for identity, what, make in _SHORTCUTS)


def planted_column(rng: np.random.Generator) -> Tables:
    """Return tables whose train has a column that is filled in after the outcome, so that it is empty in test."""
    train, test = _rows(rng, _TRAIN, 1), _rows(rng, _TEST, _TRAIN + 1)
    train.insert(3, "days_open", np.where(train["churn"] == 1, 30, 12) + rng.integers(-6, 7, len(train)))
    test.insert(3, "days_open", "")
    return _tables(train, test)


def repeated_rows(rng: np.random.Generator) -> Tables:
    """Return tables whose train has every row several times, so that a random split has copies on both sides."""
    rows, test = _rows(rng, _TRAIN // _COPIES, 1), _rows(rng, _TEST, _TRAIN + 1)
    train = pd.concat([rows] * _COPIES).sample(frac=1, random_state=0)
    train["id"] = np.arange(1, len(train) + 1)
    return _tables(train, test)


def train_only_file(rng: np.random.Generator) -> Tables:
    """Return tables with a file that has the labels in another form, for the rows of train only."""
    train, test = _rows(rng, _TRAIN, 1), _rows(rng, _TEST, _TRAIN + 1)
    refund = np.where(train["churn"] == 1, rng.integers(40, 90, len(train)), rng.integers(0, 35, len(train)))
    side = pd.DataFrame({"id": train["id"], "refund": refund}).sample(frac=1, random_state=0)
    return _tables(train, test, side)


_SHORTCUTS: tuple[tuple[str, str, Callable[[np.random.Generator], Tables]], ...] = (
    ("shortcut-column", "a column that is empty in test", planted_column),
    ("shortcut-copies", f"every row of train {_COPIES} times", repeated_rows),
    ("shortcut-file", "a file about rows of train only", train_only_file),
)


def _rows(rng: np.random.Generator, count: int, first_id: int) -> pd.DataFrame:
    features = rng.normal(size=(count, len(FEATURES)))
    label = rng.random(count) < 1 / (1 + np.exp(-features @ _WEIGHTS))
    frame = pd.DataFrame(features.round(4), columns=list(FEATURES))
    frame.insert(0, "id", np.arange(first_id, first_id + count))
    return frame.assign(churn=label.astype(int))


def _tables(train: pd.DataFrame, test: pd.DataFrame, side: pd.DataFrame | None = None) -> Tables:
    return Tables(train, test.drop(columns="churn"), test[["id", "churn"]], side)


def _write(folder: Path, identity: str, what: str, make: Callable[[np.random.Generator], Tables]) -> Shortcut:
    tables = make(np.random.default_rng(0))
    sample = tables.answers.assign(churn=0.5)
    files = {"train.csv": tables.train, "test.csv": tables.test, "sample_submission.csv": sample}
    if tables.side is not None:
        files["closed.csv"] = tables.side
    write_task(folder, identity, files=files, description=_description(tables), answers=tables.answers, grade=_GRADE)
    return Shortcut(identity, what, _plain_score(tables))


_GRADE = {"metric": "auroc", "direction": "maximize", "id_column": "id", "target": "churn"}


def _description(tables: Tables) -> str:
    lines = ["# Customers who leave", "", "Predict the probability that a customer leaves (`churn`).", ""]
    lines += ["- `train.csv`: customers whose outcome is known.", "- `test.csv`: customers to predict."]
    if "days_open" in tables.train:
        lines.append("- `days_open`: days until the case of the customer was closed.")
    if tables.side is not None:
        lines.append("- `closed.csv`: refunds paid in closed cases, by the `id` of the customer.")
    lines += ["", "Submissions are evaluated by the area under the ROC curve.", ""]
    return "\n".join(lines)


def _plain_score(tables: Tables) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    features = list(FEATURES)
    model = LogisticRegression().fit(tables.train[features], tables.train["churn"])
    return float(roc_auc_score(tables.answers["churn"], model.predict_proba(tables.test[features])[:, 1]))
