"""The tables that the host wrote: `table.json`, `train.csv` and `test.csv`; and the predictions that go back."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

START = time.monotonic()


@dataclass(frozen=True)
class Target:
    """A column to predict. Classes are numbered from 0; of two, the last is the positive one."""

    name: str
    classes: int
    """0 where a value is predicted."""
    ordered: bool
    """The classes are grades."""


@dataclass(frozen=True)
class Tables:
    """The rows, and how they are to be predicted."""

    train: pd.DataFrame
    test: pd.DataFrame
    numbers: list[str]
    categories: list[str]
    texts: list[str]
    targets: list[Target]
    labels: bool
    """Classes are predicted, not their probabilities."""
    metric: str
    absolute: bool
    balanced: bool
    """Rare classes count as much as common ones."""
    seed: int
    seconds: float
    cpus: int
    jobs: list[dict[str, Any]]
    """Models to fit, of a script that fits several."""

    @property
    def features(self) -> list[str]:
        return [*self.numbers, *self.categories, *self.texts]

    def seconds_left(self) -> float:
        """Return how much of the time is left."""
        return self.seconds - (time.monotonic() - START)


Predict = Callable[[Target], np.ndarray]
"""Returns values or class numbers of the test rows, or a column of probabilities for each class."""


def read_tables(folder: Path) -> Tables:
    """Read what the host wrote into a folder."""
    table = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    kinds: dict[str, str] = table.pop("features")
    names = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("number", "category", "text")}
    types: dict[str, type] = {name: float if kind == "number" else str for name, kind in kinds.items()}
    targets = [Target(**target) for target in table.pop("targets")]
    types |= {target.name: int if target.classes else float for target in targets}
    train, test = (_read(folder / name, types) for name in ("train.csv", "test.csv"))
    return Tables(train, test, names["number"], names["category"], names["text"], targets, **table)


def _read(path: Path, types: dict[str, type]) -> pd.DataFrame:
    frame = pd.read_csv(path, dtype=types, keep_default_na=False, na_values={name: [""] for name in types})
    return frame.fillna({str(name): "" for name in frame if types[str(name)] is str})


def write_predictions(tables: Tables, predict: Predict, path: Path) -> None:
    """Write the predictions of every target."""
    columns: dict[str, np.ndarray] = {}
    for target in tables.targets:
        predicted = predict(target) if target.classes != 1 else _only_class(tables)
        if predicted.ndim == 1:
            columns[target.name] = predicted
        else:
            columns |= {f"{target.name}_{number}": column for number, column in enumerate(predicted.T)}
    pd.DataFrame(columns).to_csv(path, index=False)


def _only_class(tables: Tables) -> np.ndarray:
    rows = len(tables.test)
    return np.zeros(rows, dtype=int) if tables.labels else np.ones((rows, 1))


def by_class(probabilities: np.ndarray, known: np.ndarray, classes: int) -> np.ndarray:
    """Return a column for every class; a class that a model was not trained on gets 0."""
    full = np.zeros((len(probabilities), classes))
    full[:, np.asarray(known, dtype=int)] = probabilities
    return full


def rounded(values: np.ndarray, target: Target) -> np.ndarray:
    """Return the grades that are nearest to values."""
    return np.clip(np.round(values), 0, target.classes - 1).astype(int)


def join_texts(frame: pd.DataFrame, columns: list[str]) -> list[str]:
    """Return the texts of each row as one."""
    return [" ".join(row) for row in frame[columns].itertuples(index=False)]


def texts_as_numbers(tables: Tables, components: int = 100) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and test features with texts as numbers: TF-IDF in fewer dimensions, for libraries without texts."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    others = [*tables.numbers, *tables.categories]
    if not tables.texts:
        return tables.train[others], tables.test[others]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=50_000)
    weights = words.fit_transform(join_texts(tables.train, tables.texts))
    axes = TruncatedSVD(min(components, weights.shape[1] - 1), random_state=tables.seed)
    names = [f"text{number}" for number in range(axes.n_components)]
    train = pd.DataFrame(axes.fit_transform(weights), columns=names)
    test = pd.DataFrame(axes.transform(words.transform(join_texts(tables.test, tables.texts))), columns=names)
    return pd.concat([tables.train[others], train], axis=1), pd.concat([tables.test[others], test], axis=1)
