"""Small generated tasks without information: their features are drawn independently of the labels.

Nothing can be learnt from them, so every score of a tool, graded or its own, should be within what noise gives. Their
descriptions do not say so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.bench.generated import write_task

_TRAIN, _TEST = 2000, 1000
"""Rows. With 1,334 and more labelled rows a run keeps some apart (docs/scores.md)."""
_NUMBERS = ("age", "visits", "distance", "income", "rating")
_REGIONS = 40
"""Values of a category: so many that means of the labels by region differ by chance."""
_WORDS, _SHORTEST, _LONGEST = 400, 8, 30
"""Different words of all texts, and words of a text."""


@dataclass(frozen=True)
class _Kind:
    """One kind of task."""

    id: str
    draws: int
    """Tasks of this kind, each drawn anew. Chosen by judgement; not measured."""
    features: Callable[[np.random.Generator], pd.DataFrame]
    labels: Callable[[np.random.Generator], np.ndarray]
    target: str
    metric: str
    sample: str
    """Label of every row of the sample submission."""
    description: str


def write_no_information(folder: Path) -> tuple[str, ...]:
    """Write the tasks as a suite, `tasks/ID` and `answers/ID`, and return their ids; they are the same every time."""
    return tuple(_write(folder, kind, draw) for kind in _KINDS for draw in range(1, kind.draws + 1))


def _write(folder: Path, kind: _Kind, draw: int) -> str:
    rng = np.random.default_rng([draw, *kind.id.encode()])
    frame = kind.features(rng)
    frame.insert(0, "id", np.arange(1, len(frame) + 1))
    frame[kind.target] = kind.labels(rng)
    answers = frame[["id", kind.target]][_TRAIN:]
    files = {
        "train.csv": frame[:_TRAIN],
        "test.csv": frame[_TRAIN:].drop(columns=kind.target),
        "sample_submission.csv": answers.assign(**{kind.target: kind.sample}),
    }
    identity = f"no-information-{kind.id}-{draw}"
    grade = {"metric": kind.metric, "id_column": "id", "target": kind.target}
    write_task(folder, identity, files=files, description=kind.description, answers=answers, grade=grade)
    return identity


def _columns(rng: np.random.Generator) -> pd.DataFrame:
    rows = _TRAIN + _TEST
    frame = pd.DataFrame(rng.normal(size=(rows, len(_NUMBERS))).round(4), columns=list(_NUMBERS))
    return frame.assign(region=[f"r{number}" for number in rng.integers(0, _REGIONS, rows)])


def _texts(rng: np.random.Generator) -> pd.DataFrame:
    words = np.array(["".join(rng.choice(list("aeioklmnrstu"), rng.integers(3, 9))) for _ in range(_WORDS)])
    lengths = rng.integers(_SHORTEST, _LONGEST + 1, _TRAIN + _TEST)
    return pd.DataFrame({"message": [" ".join(rng.choice(words, length)) for length in lengths]})


def _classes(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(_TRAIN + _TEST) % 10 < 4).astype(int)


def _values(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(200, 40, _TRAIN + _TEST).round(2)


def _topics(rng: np.random.Generator) -> np.ndarray:
    return rng.choice(["billing", "delivery", "returns"], _TRAIN + _TEST)


_FILES = "- `train.csv`: {rows} with `{target}`.\n- `test.csv`: {rows} to predict.\n"
_KINDS = (
    _Kind(
        "classes",
        2,
        _columns,
        _classes,
        target="churn",
        metric="auroc",
        sample="0.5",
        description="# Customers who leave\n\nPredict the probability that a customer leaves (`churn`).\n\n"
        + _FILES.format(rows="customers", target="churn")
        + "\nSubmissions are evaluated by the area under the ROC curve.\n",
    ),
    _Kind(
        "values",
        2,
        _columns,
        _values,
        target="spent",
        metric="rmse",
        sample="0",
        description="# What customers spend\n\nPredict what a customer spends next year (`spent`).\n\n"
        + _FILES.format(rows="customers", target="spent")
        + "\nSubmissions are evaluated by the root mean squared error.\n",
    ),
    _Kind(
        "texts",
        1,
        _texts,
        _topics,
        target="topic",
        metric="accuracy",
        sample="billing",
        description="# What messages are about\n\nPredict the topic of a message (`topic`).\n\n"
        + _FILES.format(rows="messages", target="topic")
        + "\nSubmissions are evaluated by classification accuracy.\n",
    ),
)
