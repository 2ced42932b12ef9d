"""Which blends of stored predictions to keep: what each rule that decides gains over the best script.

    python -m benchmarks.blends [--seeds 3] [--only ID ...]

Tables of `made_tables` with numbers as targets, or two classes. Each gets the scripts of a search in miniature: a model
of each kind, and variants of the best of them, as refinements are, fitted to the rows that are not withheld. A rule
submits the script that is best on the withheld rows, or a blend; what it submits is graded on the rows of test. Rules:

* `best of all rows`: the blend, where its cross-fitted score is better than the best script by more than an error;
* `best of each half`: the same, but for the rows of each half the best script is that of the other half;
* `any gain over that`: the same without the error;
* `always`: the blend.

Gains are in percent of the best script's error on the rows of test (of 1 minus the score for AUROC).
"""

import argparse
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, roc_auc_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from benchmarks.made_tables import TABLES, MadeTable, make_rows, write_table
from mlestar.data.task import Task
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.evaluation.blending.combine import mix, stack_members
from mlestar.evaluation.blending.fitted import cross_fitted
from mlestar.evaluation.blending.weights import Fit, Mixture, fit_blend
from mlestar.metrics.spec import sign

ERRORS = {
    "rmse": root_mean_squared_error,
    "mae": mean_absolute_error,
    "auroc": lambda truth, predicted: 1 - roc_auc_score(truth, predicted),
}
VARIANTS = 8
"""Variants of the best model. Chosen by judgement."""


def main() -> None:
    """Print the gains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    gains: dict[str, list[float]] = defaultdict(list)
    for made in TABLES:
        if made.metric not in ERRORS or (options.only and made.name not in options.only):
            continue
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                measured = measure(made, seed, Path(folder))
            print(made.name, seed, *(f"{rule} {gain:+.2f};" for rule, gain in measured.items()), flush=True)
            for rule, gain in measured.items():
                gains[rule].append(gain)
    print("\n| rule | gain, percent | blends | of them worse than the best script |\n| --- | --- | --- | --- |")
    for rule, values in gains.items():
        gain = np.array(values)
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"| {rule} | {gain.mean():.2f} ± {error:.2f} | {(gain != 0).sum()} of {len(gain)} | {(gain < 0).sum()} |")


def measure(made: MadeTable, seed: int, folder: Path) -> dict[str, float]:
    """Return what each rule gains."""
    train, test, (target,) = make_rows(made, seed)
    write_table(folder / "task", made, seed)
    task = Task.load(folder / "task" / "tasks" / made.name)
    grader = Grader(task, search_holdout(task, infer_split(task), seed=seed))
    withheld = train.iloc[grader.holdout.withheld]
    kept = train.drop(withheld.index)
    kinds = model_kinds(seed)
    members = {name: predict(model, kept, withheld, test, target) for name, model in kinds.items()}
    best = min(members, key=lambda name: ERRORS[made.metric](withheld[target], members[name][0]))
    for number in range(VARIANTS):
        model = vary(kinds[best], np.random.default_rng([seed, number]))
        members[f"{best} {number}"] = predict(model, kept, withheld, test, target)
    paths = []
    for name, (predicted, _) in members.items():
        paths.append(folder / f"{name}.csv")
        if made.metric == "auroc":
            predicted = np.clip(predicted, 0, 1)
        frame = pd.DataFrame({"id": withheld["id"], grader.form.spec.prediction_columns[0]: predicted})
        frame.to_csv(paths[-1], index=False)
    fit = fit_blend(grader.answers, paths, [1.0] * len(paths), limit=100.0)
    return gains_of(made.metric, grader, paths, fit, test[target], [predicted for _, predicted in members.values()])


def gains_of(
    metric: str, grader: Grader, paths: list[Path], fit: Fit, truth: pd.Series, predicted: list[np.ndarray]
) -> dict[str, float]:
    """Return what each rule gains, from the predictions for the rows of test."""
    factor = sign(grader.form.metric.direction)
    scores = [factor * (grader.answers.grade(path).score or 0.0) for path in paths]
    best = int(np.argmax(scores))
    single = ERRORS[metric](truth, predicted[best])
    gain = 100 * (1 - ERRORS[metric](truth, mixed(predicted, fit.whole)) / single)
    blended, rival = (paths[0].with_name(f"{name} of halves") for name in ("blend", "best"))
    for path, halves in ((blended, fit.halves), (rival, fit.singles)):
        path.write_text(cross_fitted(grader.form, grader.answers.units, paths, halves), encoding="utf-8")
    kept = {}
    for rule, other in (("best of all rows", paths[best]), ("best of each half", rival)):
        comparison = grader.answers.compare(blended, other)
        kept[rule] = gain if comparison.difference > max(0.0, comparison.standard_error) else 0.0
    kept["any gain over that"] = gain if comparison.difference > 0 else 0.0
    return {**kept, "always": gain}


def mixed(predicted: list[np.ndarray], mixture: Mixture) -> np.ndarray:
    """Return a blend of predictions."""
    values, labels = stack_members([column[:, None] for column in predicted], mixture.scale)
    return np.asarray(mix(values, labels, mixture.weights, mixture.scale)[:, 0], float)


def model_kinds(seed: int) -> dict[str, BaseEstimator]:
    """Return a model of each kind."""
    return {
        "boosting": HistGradientBoostingRegressor(max_iter=150, learning_rate=0.06, random_state=seed),
        "trees": ExtraTreesRegressor(200, min_samples_leaf=2, random_state=seed),
        "linear": RidgeCV(np.logspace(-2, 4, 13)),
        "neighbours": KNeighborsRegressor(25, weights="distance"),
    }


def vary(model: BaseEstimator, draw: np.random.Generator) -> BaseEstimator:
    """Return a model of the same kind with other settings."""
    seed = int(draw.integers(1_000_000))
    if isinstance(model, HistGradientBoostingRegressor):
        rate, leaves = draw.choice([0.03, 0.06, 0.1]), int(draw.choice([7, 15, 31]))
        return HistGradientBoostingRegressor(
            max_iter=150, learning_rate=rate, max_leaf_nodes=leaves, max_features=0.6, random_state=seed
        )
    if isinstance(model, ExtraTreesRegressor):
        leaf, share = int(draw.integers(1, 5)), draw.choice([0.4, 0.7, 1.0])
        return ExtraTreesRegressor(200, min_samples_leaf=leaf, max_features=share, random_state=seed)
    if isinstance(model, KNeighborsRegressor):
        return KNeighborsRegressor(int(draw.integers(5, 60)), weights="distance")
    return RidgeCV([10 ** draw.uniform(-2, 3)])


def predict(
    model: BaseEstimator, kept: pd.DataFrame, withheld: pd.DataFrame, test: pd.DataFrame, target: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predictions of a model for the withheld rows and for those of test."""
    columns = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            make_column_selector(dtype_exclude=np.number),
        ),
        remainder="passthrough",
    )
    fitted = make_pipeline(columns, SimpleImputer(strategy="median"), StandardScaler(), model)
    known = [target, "id"]
    fitted.fit(kept.drop(columns=known), kept[target])
    return fitted.predict(withheld.drop(columns=known)), fitted.predict(test.drop(columns=known))


if __name__ == "__main__":
    main()
