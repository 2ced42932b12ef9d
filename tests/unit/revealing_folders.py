"""Side files that reveal labels of train, and side files that do not, written beside a generated task."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from tests.unit.holdout_folders import divide

ROWS = 600
CITIES = 30


def make_frame(seed: int, *, kind: str = "class") -> pd.DataFrame:
    """Return rows of an id, a city, features and a label whose mean depends on the city."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, CITIES, ROWS)
    level = rng.normal(size=CITIES)[city] * 0.6
    size = rng.normal(size=ROWS)
    frame = pd.DataFrame({"id": rng.permutation(ROWS * 3)[:ROWS] + 10, "city": [f"c{number}" for number in city]})
    frame["size"], frame["rank"] = size.round(4), rng.integers(0, 40, ROWS)
    score = level + 0.5 * size + rng.normal(size=ROWS)
    if kind == "value":
        return frame.assign(price=np.exp(score + 5).round(2))
    if kind == "several":
        return frame.assign(label=np.array(["a", "b", "c", "d"])[np.digitize(score, [-0.7, 0.0, 0.7])])
    return frame.assign(label=np.where(score > 0.3, "yes", "no"))


def write_task(folder: Path, frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write train, test and sample; return train and test."""
    train, test = divide(frame, np.random.default_rng(seed + 99).random(len(frame)) < 0.3)
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    target = frame.columns[-1]
    test[["id"]].assign(**{target: train[target].iloc[0]}).to_csv(folder / "sample_submission.csv", index=False)
    return train, test


def load_task(folder: Path, *, kind: str = "class", **overrides: Any) -> Task:
    """Read a task whose roles are set, so that no side file takes one."""
    roles: dict[str, Any] = {
        "train": "train.csv",
        "test": "test.csv",
        "sample_submission": "sample_submission.csv",
        "id": "id",
    }
    return Task.load(folder, metric="mae" if kind == "value" else "accuracy", **{**roles, **overrides})


Side = Callable[[pd.DataFrame, pd.DataFrame, np.random.Generator], dict[str, pd.DataFrame]]
"""Makes side tables by their file names from train, test and a generator."""


def _codes(train: pd.DataFrame) -> np.ndarray:
    return np.asarray(pd.factorize(train.iloc[:, -1])[0])


def _values(train: pd.DataFrame) -> np.ndarray:
    return np.asarray(train["price"], dtype=float)


def _shuffled(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame.iloc[rng.permutation(len(frame))]


def _rate(train: pd.DataFrame) -> "pd.Series[Any]":
    return (train["label"] == "yes").groupby(train["city"]).mean()


# Each entry: which kind of label, and how the side files are made.
LEAKS: dict[str, tuple[str, Side]] = {
    "another name": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"id": train["id"], "grade": train["label"]}), rng)
        },
    ),
    "a code": (
        "several",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"id": train["id"], "x": 7 - 2 * _codes(train)}), rng)
        },
    ),
    "finer codes": (
        "several",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame({"id": train["id"], "x": _codes(train) * 10 + rng.integers(0, 9, len(train))}), rng
            )
        },
    ),
    "a logarithm": (
        "value",
        lambda train, test, rng: {"extra.csv": _shuffled(train[["id"]].assign(x=np.log(_values(train)).round(3)), rng)},
    ),
    "a reciprocal": (
        "value",
        lambda train, test, rng: {"extra.csv": _shuffled(train[["id"]].assign(x=1000 / _values(train)), rng)},
    ),
    "rounded": (
        "value",
        lambda train, test, rng: {"extra.csv": _shuffled(train[["id"]].assign(x=_values(train).round(-1)), rng)},
    ),
    "with noise": (
        "value",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                train[["id"]].assign(x=np.log(_values(train)) + rng.normal(0, 0.05, len(train))), rng
            )
        },
    ),
    "in words": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(train[["id"]].assign(x=train["label"].map({"yes": "left", "no": "stayed"})), rng)
        },
    ),
    "another key name": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"customer": train["id"], "x": _codes(train)}), rng)
        },
    ),
    "names of pictures as key": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame({"file": [f"pics/IMG_{row:05d}.jpg" for row in train["id"]], "x": _codes(train)}), rng
            )
        },
    ),
    "key with zeros": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"k": [f"{row:08d}" for row in train["id"]], "x": _codes(train)}), rng)
        },
    ),
    "features as key": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"m": train["size"], "n": train["rank"], "x": _codes(train)}), rng)
        },
    ),
    "several features as key": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"m": train["city"], "n": train["rank"], "x": _codes(train)}), rng)
        },
    ),
    "row numbers as key": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.DataFrame({"row": np.arange(len(train)) + 1, "x": _codes(train)}), rng)
        },
    ),
    "the order of train": ("class", lambda train, test, rng: {"extra.csv": pd.DataFrame({"x": _codes(train)})}),
    "the order of train, with noise": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame({"x": _codes(train), "noise": rng.normal(size=len(train)).round(3)})
        },
    ),
    "a list of one class": (
        "class",
        lambda train, test, rng: {"extra.csv": _shuffled(train.loc[train["label"] == "yes", ["id"]], rng)},
    ),
    "test rows without a value": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame({"id": [*train["id"], *test["id"]], "x": [*_codes(train), *([0.5] * len(test))]}), rng
            )
        },
    ),
    "part of the rows": (
        "class",
        lambda train, test, rng: {"extra.csv": train[["id"]].assign(x=_codes(train)).sample(frac=0.4, random_state=1)},
    ),
    "several records for a row": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame(
                    {
                        "id": np.repeat(train["id"], 3),
                        "n": np.tile([1, 2, 3], len(train)),
                        "x": np.repeat(_codes(train), 3),
                    }
                ),
                rng,
            )
        },
    ),
    "one column for each class": (
        "several",
        lambda train, test, rng: {
            "extra.csv": _shuffled(pd.concat([train[["id"]], pd.get_dummies(train["label"]).astype(int)], axis=1), rng)
        },
    ),
    "digits in two columns": (
        "value",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                train[["id"]].assign(tens=(_values(train) // 100).astype(int), rest=(_values(train) % 100).round(2)),
                rng,
            )
        },
    ),
    "rates of cities": (
        "class",
        lambda train, test, rng: {"extra.csv": _rate(train).round(4).rename("x").reset_index()},
    ),
    "logarithms of means of cities": (
        "value",
        lambda train, test, rng: {"extra.csv": np.log(train.groupby("city")["price"].mean()).rename("x").reset_index()},
    ),
    "smoothed rates of cities": (
        "class",
        lambda train, test, rng: {
            "extra.csv": (
                train.assign(y=train["label"] == "yes")
                .groupby("city")["y"]
                .agg(lambda part: (part.sum() + 10 * 0.4) / (len(part) + 10))
                .rename("x")
                .reset_index()
            )
        },
    ),
    "medians of cities": (
        "value",
        lambda train, test, rng: {"extra.csv": train.groupby("city")["price"].median().rename("x").reset_index()},
    ),
    "rates of cities for each row": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.concat([train, test])[["id", "city"]].assign(x=lambda part: part["city"].map(_rate(train)))[
                ["id", "x"]
            ]
        },
    ),
}

LEGITIMATE: dict[str, tuple[str, Side]] = {
    "features of cities": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame(
                {"city": [f"c{n}" for n in range(CITIES)], "people": rng.integers(1000, 90000, CITIES)}
            )
        },
    ),
    "features of cities that explain the label": (
        "class",
        lambda train, test, rng: {
            "extra.csv": (_rate(train) + rng.normal(0, 0.12, len(_rate(train)))).rename("x").reset_index()
        },
    ),
    "features of all rows": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame({"id": [*train["id"], *test["id"]], "x": rng.normal(size=len(train) + len(test))}), rng
            )
        },
    ),
    "a strong feature of all rows": (
        "class",
        lambda train, test, rng: {
            "extra.csv": _shuffled(
                pd.DataFrame(
                    {
                        "id": [*train["id"], *test["id"]],
                        "x": [*(_codes(train) + rng.normal(0, 0.17, len(train))), *rng.normal(0.5, 0.5, len(test))],
                    }
                ),
                rng,
            )
        },
    ),
    "a strong feature in a file for each part": (
        "class",
        lambda train, test, rng: {
            "a_extra.csv": pd.DataFrame({"id": train["id"], "x": _codes(train) + rng.normal(0, 0.1, len(train))}),
            "b_extra.csv": pd.DataFrame({"id": test["id"], "x": rng.normal(0.5, 0.5, len(test))}),
        },
    ),
    "a strong feature in order in a file for each part": (
        "class",
        lambda train, test, rng: {
            "a_extra.csv": pd.DataFrame({"x": _codes(train) + rng.normal(0, 0.1, len(train))}),
            "b_extra.csv": pd.DataFrame({"x": rng.normal(0.5, 0.5, len(test))}),
        },
    ),
    "weak values of train rows alone": (
        "value",
        lambda train, test, rng: {
            "extra.csv": train[["id"]].assign(x=np.log(_values(train)) + rng.normal(0, 0.5, len(train)))
        },
    ),
    "names of the labels": (
        "several",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame({"label": ["a", "b", "c", "d"], "name": ["ant", "bee", "cat", "dog"]})
        },
    ),
    "events of all rows": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame(
                {
                    "id": rng.choice([*train["id"], *test["id"]], 3000),
                    "event": rng.choice(["open", "close", "buy"], 3000),
                    "amount": rng.gamma(2, 10, 3000).round(2),
                }
            )
        },
    ),
    "a text for each row": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame(
                {
                    "id": [*train["id"], *test["id"]],
                    "note": [" ".join(rng.choice(["red", "blue", "round", "old", "new"], 6)) for _ in range(ROWS)],
                }
            )
        },
    ),
    "visits of rows of train, one row after the other": (
        "class",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame(
                {
                    "id": np.repeat(train["id"], 8),
                    "at": np.cumsum(rng.integers(1, 9, 8 * len(train))),
                    "kind": rng.choice(["open", "close", "buy"], 8 * len(train)),
                }
            )
        },
    ),
    "readings of rows of train, one row after the other": (
        "value",
        lambda train, test, rng: {
            "extra.csv": pd.DataFrame(
                {"id": np.repeat(train["id"], 8), "level": np.cumsum(rng.normal(size=8 * len(train))).round(3)}
            )
        },
    ),
    "other labelled rows": (
        "class",
        lambda train, test, rng: {"extra.csv": make_frame(int(rng.integers(1000, 9999))).assign(id=range(9000, 9600))},
    ),
    "counts of rows per city": (
        "class",
        lambda train, test, rng: {"extra.csv": train.groupby("city").size().rename("x").reset_index()},
    ),
}


def write_sides(folder: Path, side: Side, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> list[str]:
    """Write side files; return their names."""
    tables = side(train, test, np.random.default_rng(seed + 7))
    for name, table in tables.items():
        if name.endswith(".json"):
            (folder / name).write_text(json.dumps(dict(zip(table.iloc[:, 0], table.iloc[:, 1], strict=True))))
        else:
            table.to_csv(folder / name, index=False)
    return list(tables)
