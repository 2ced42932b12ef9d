"""AutoGluon's tabular predictor, which stacks the models of several libraries.

usage: python -m peer_models.autogluon_model FOLDER PRESET
"""

import sys
from pathlib import Path

import numpy as np

from .tables import Tables, Target, by_class, read_tables, write_predictions

_METRICS = {
    **{"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "mcc": "mcc", "f1": "f1"},
    **{"macro_f1": "f1_macro", "micro_f1": "f1_micro", "weighted_f1": "f1_weighted", "qwk": "quadratic_kappa"},
    **{"auroc": "roc_auc", "mean_auroc": "roc_auc", "average_precision": "average_precision", "log_loss": "log_loss"},
    **{"rmse": "rmse", "mcrmse": "rmse", "mse": "mse", "mae": "mae", "medae": "median_absolute_error"},
    **{"mape": "mape", "smape": "smape", "r2": "r2", "spearman": "spearmanr", "pearson": "pearsonr"},
}
"""Names of metrics in AutoGluon. For all others it uses its default for the kind of target."""
_SHARE = 0.9
"""Share of the time that is left for fitting: the ensemble predicts afterwards. Chosen by judgement; not measured."""


def main() -> None:
    folder, preset = Path(sys.argv[1]), sys.argv[2]
    tables = read_tables(folder)
    seconds = max(1.0, _SHARE * tables.seconds_left() / len(tables.targets))

    def predict(target: Target) -> np.ndarray:
        from autogluon.tabular import TabularPredictor

        kind = "regression" if not target.classes else "binary" if target.classes == 2 else "multiclass"
        predictor = TabularPredictor(
            target.name,
            problem_type=kind,
            eval_metric=_metric(tables, target),
            path=str(folder / f"autogluon-{target.name}"),
            **({"positive_class": 1} if kind == "binary" else {}),
        )
        predictor.fit(
            tables.train[[*tables.features, target.name]],
            time_limit=seconds,
            presets=preset,
            num_cpus=tables.cpus,
            num_gpus=0,
        )
        test = tables.test[tables.features]
        if not target.classes or tables.labels:
            return np.asarray(predictor.predict(test))
        shares = predictor.predict_proba(test)
        return by_class(shares.to_numpy(), shares.columns.to_numpy(), target.classes)

    write_predictions(tables, predict, folder / "predictions.csv")


def _metric(tables: Tables, target: Target) -> str | None:
    name = _METRICS.get(tables.metric)
    return "roc_auc_ovr" if name == "roc_auc" and target.classes > 2 else name


if __name__ == "__main__":
    main()
