"""FLAML, which searches for the best of several boosting libraries and their settings.

usage: python -m peer_models.flaml_model FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from .tables import Tables, Target, by_class, read_tables, rounded, texts_as_numbers, write_predictions

_METRICS = {
    **{"accuracy": "accuracy", "auroc": "roc_auc", "mean_auroc": "roc_auc", "average_precision": "ap"},
    **{"log_loss": "log_loss", "f1": "f1", "macro_f1": "macro_f1", "micro_f1": "micro_f1"},
    **{"mae": "mae", "mape": "mape", "mse": "mse", "rmse": "rmse", "mcrmse": "rmse", "r2": "r2"},
}
"""Names of metrics in FLAML. For all others: the log loss for classes, the RMSE for values."""
_SHARE = 0.85
"""Share of the time that is left for the search: the best model is trained once more, and predicts. Chosen by
judgement; not measured."""


def main() -> None:
    folder = Path(sys.argv[1])
    tables = read_tables(folder)
    train, test = texts_as_numbers(tables)
    for name in tables.categories:
        kinds = sorted(set(train[name]) | set(test[name]))
        train = train.assign(**{name: train[name].astype("category").cat.set_categories(kinds)})
        test = test.assign(**{name: test[name].astype("category").cat.set_categories(kinds)})
    seconds = max(1.0, _SHARE * tables.seconds_left() / len(tables.targets))

    def predict(target: Target) -> np.ndarray:
        from flaml import AutoML

        as_grades = target.ordered and tables.labels
        classify = bool(target.classes) and not as_grades
        model = AutoML()
        model.fit(
            train,
            tables.train[target.name].to_numpy(),
            task="classification" if classify else "regression",
            metric=_metric(tables, target, classify=classify),
            time_budget=seconds,
            n_jobs=tables.cpus,
            seed=tables.seed,
            verbose=1,
        )
        if as_grades:
            return rounded(np.asarray(model.predict(test)), target)
        if classify and not tables.labels:
            return by_class(model.predict_proba(test), model.classes_, target.classes)
        return np.asarray(model.predict(test)).ravel()

    write_predictions(tables, predict, folder / "predictions.csv")


def _metric(tables: Tables, target: Target, *, classify: bool) -> str:
    if not classify:
        return _METRICS.get(tables.metric, "rmse") if not target.classes else "rmse"
    name = _METRICS.get(tables.metric, "log_loss")
    return "roc_auc_ovr" if name == "roc_auc" and target.classes > 2 else name


if __name__ == "__main__":
    main()
