"""scikit-learn: gradient boosting of tables, a linear model of texts and of many classes, and a shallow tree.

usage: python -m peer_models.sklearn_model FOLDER
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .tables import Predict, Tables, Target, by_class, join_texts, read_tables, write_predictions

# The limits below were chosen by judgement; none was measured.
_MOST_BOOSTED = 20
"""Classes beyond which a linear model is fitted: boosting fits a tree for each of them in each round."""
_MOST_CATEGORIES = 250
"""Most values of a category that boosting gets as a category; scikit-learn allows 255."""
_RARE = 5
"""Values of a category with fewer rows count as one value."""
_DEPTH, _LEAF_ROWS = 3, 5
"""Depth of the shallow tree, and fewest rows of a leaf."""
_PRIOR = 0.1
"""Share of the class frequencies in the probabilities of the shallow tree, whose leaves lack whole classes."""
_NEEDED = 0.2
"""Share of the time that must be left for another model to be started."""


def main() -> None:
    folder = Path(sys.argv[1])
    tables = read_tables(folder)
    linear = bool(tables.texts) or any(target.classes > _MOST_BOOSTED for target in tables.targets)
    features = Features(tables, sparse=linear)
    for job in tables.jobs or [{"file": "predictions.csv"}]:
        if tables.seconds_left() > _NEEDED * tables.seconds:
            shallow = job.get("model") == "shallow"
            write_predictions(tables, fit(tables, features, job.get("shuffle"), shallow=shallow), folder / job["file"])


class Features:
    """The features as numbers: categories as codes, or one-hot beside TF-IDF where the model is linear."""

    def __init__(self, tables: Tables, *, sparse: bool) -> None:
        self.sparse = sparse
        self.categorical: list[bool] = []
        make = _sparse_features if sparse else self._dense
        self.train, self.test = make(tables)

    def _dense(self, tables: Tables) -> tuple[Any, Any]:
        parts = [(tables.train[tables.numbers].to_numpy(), tables.test[tables.numbers].to_numpy())]
        parts += [_codes(tables, name) for name in tables.categories]
        few = [len(np.unique(train)) <= _MOST_CATEGORIES for train, _ in parts[1:]]
        self.categorical = [False] * len(tables.numbers) + few
        train, test = (np.column_stack(side) for side in zip(*parts, strict=True))
        return train.astype(float), test.astype(float)


def _codes(tables: Tables, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a category as codes, most common first; rare and unknown values are one."""
    counts = tables.train[name].value_counts()
    common = counts[counts >= _RARE].index
    if len(common) > _MOST_CATEGORIES - 1:
        return tables.train[name].map(counts).to_numpy(), tables.test[name].map(counts).fillna(0).to_numpy()
    train, test = (common.get_indexer(pd.Index(side[name])) + 1 for side in (tables.train, tables.test))
    return train, test


def _sparse_features(tables: Tables) -> tuple[Any, Any]:
    sides: list[tuple[Any, Any]] = []
    if tables.numbers:
        scaler = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        scaled = scaler.fit_transform(tables.train[tables.numbers])
        sides.append((sp.csr_matrix(scaled), sp.csr_matrix(scaler.transform(tables.test[tables.numbers]))))
    if tables.categories:
        one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE)
        sides.append(
            (one_hot.fit_transform(tables.train[tables.categories]), one_hot.transform(tables.test[tables.categories]))
        )
    if tables.texts:
        sides += _text_weights(tables)
    return tuple(sp.hstack(side).tocsr() for side in zip(*sides, strict=True))


def _text_weights(tables: Tables) -> list[tuple[Any, Any]]:
    """Return the TF-IDF of words with their neighbours, and of short pieces of words."""
    train, test = join_texts(tables.train, tables.texts), join_texts(tables.test, tables.texts)
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=100_000)
    pieces = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5), max_features=100_000)
    return [(weights.fit_transform(train), weights.transform(test)) for weights in (words, pieces)]


def fit(tables: Tables, features: Features, shuffle: int | None, *, shallow: bool) -> Predict:
    """Return the predictions of a model for each target.

    Args:
        tables: the tables.
        features: their features.
        shuffle: a seed by which the labels of train are shuffled; None to leave them.
        shallow: fit a shallow tree.
    """
    rows = np.arange(len(tables.train))
    order = rows if shuffle is None else np.random.default_rng(shuffle).permutation(rows)

    def predict(target: Target) -> np.ndarray:
        truth = tables.train[target.name].to_numpy()[order]
        make = _shallow_tree if shallow else _linear_model if features.sparse else _boosting
        model = make(tables, features, target).fit(features.train, truth)
        if not target.classes:
            return np.asarray(model.predict(features.test))
        shares = by_class(model.predict_proba(features.test), model.classes_, target.classes)
        if tables.labels:
            return np.asarray(shares.argmax(axis=1))
        prior = np.bincount(truth, minlength=target.classes) / len(truth)
        return (1 - _PRIOR) * shares + _PRIOR * prior if shallow else shares

    return predict


def _shallow_tree(tables: Tables, features: Features, target: Target) -> Any:
    options: dict[str, Any] = {"max_depth": _DEPTH, "min_samples_leaf": _LEAF_ROWS, "random_state": tables.seed}
    if target.classes:
        return DecisionTreeClassifier(class_weight=_class_weight(tables), **options)
    return DecisionTreeRegressor(**options)


def _linear_model(tables: Tables, features: Features, target: Target) -> Any:
    if target.classes:
        model = LogisticRegression(C=10 if tables.texts else 1, max_iter=1000, class_weight=_class_weight(tables))
        return make_pipeline(MaxAbsScaler(), model) if not tables.texts else model
    return Ridge(random_state=tables.seed)


def _boosting(tables: Tables, features: Features, target: Target) -> Any:
    options: dict[str, Any] = {"random_state": tables.seed, "categorical_features": features.categorical}
    if target.classes:
        return HistGradientBoostingClassifier(class_weight=_class_weight(tables), **options)
    loss = "absolute_error" if tables.absolute else "squared_error"
    return HistGradientBoostingRegressor(loss=loss, **options)


def _class_weight(tables: Tables) -> str | None:
    return "balanced" if tables.balanced else None


if __name__ == "__main__":
    main()
