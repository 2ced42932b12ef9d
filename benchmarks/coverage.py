"""Coverage of intervals and sets on rows that a run was never given, at 80 and 95 %.

    python -m benchmarks.coverage [--only NAME ...] [--runs DIR] [--runner local] [--chosen 600]

Three tasks of values and three of classes, which differ in noise, skew, imbalance and size. The offline engineer solves
each with the profile quick. Then its predictor makes intervals or sets for further rows, of which the run had neither
features nor labels. `off by` is the covered share minus the stated one in standard errors, which cover the choice of
the further rows and of the withheld ones.

`--chosen N` simulates instead, N times each, what choosing costs: scripts that are equally good, of which the one with
the smallest squared error on the withheld rows gives the quantiles. `alike` is the correlation of their errors.
"""

import argparse
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification, make_friedman1

from mlestar import solve
from mlestar.evaluation.uncertainty.conformal import conformal_quantiles
from mlestar.report import Result

LEVELS = (0.8, 0.95)
TEST_ROWS = 100
"""Rows to predict in the run."""


@dataclass(frozen=True)
class Task:
    """A table and how many of its rows a run is given."""

    name: str
    metric: str
    kind: str
    given: int
    """Labelled rows of the run."""
    make: Callable[[], pd.DataFrame]
    """Return rows in random order, the target last."""


def diabetes() -> pd.DataFrame:
    """442 rows with much noise."""
    return _shuffled(load_diabetes(as_frame=True).frame)


def prices() -> pd.DataFrame:
    """Skewed values whose noise grows with them."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(7000, 6))
    logarithm = 5 + features[:, 0] + 0.5 * features[:, 1] * features[:, 2] + 0.4 * rng.normal(size=7000)
    return pd.DataFrame(features.round(4)).add_prefix("x").assign(price=np.exp(logarithm).round(2))


def heavy() -> pd.DataFrame:
    """Heavy-tailed noise, three times as large in one half of the rows as in the other."""
    features, signal = make_friedman1(n_samples=6000, noise=0.0, random_state=2)
    noise = np.random.default_rng(2).standard_t(3, size=6000) * np.where(features[:, 0] > 0.5, 1.5, 0.5)
    return pd.DataFrame(features.round(4)).add_prefix("x").assign(y=(signal + noise).round(3))


def digits() -> pd.DataFrame:
    """Ten classes that are easy to tell apart."""
    return _shuffled(load_digits(as_frame=True).frame)


def tumours() -> pd.DataFrame:
    """569 rows of two classes."""
    return _shuffled(load_breast_cancer(as_frame=True).frame)


def rare() -> pd.DataFrame:
    """Four classes of very different size with 15 % of the labels drawn at random."""
    features, classes = make_classification(
        n_samples=7000,
        n_features=8,
        n_informative=6,
        n_classes=4,
        weights=[0.7, 0.2, 0.08],
        flip_y=0.15,
        random_state=3,
    )
    return pd.DataFrame(features.round(4)).add_prefix("x").assign(kind=np.array(list("abcd"))[classes])


def _shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=0, ignore_index=True)


TASKS = (
    Task("diabetes", "rmse", "interval", 260, diabetes),
    Task("prices", "rmsle", "interval", 2500, prices),
    Task("heavy", "mae", "interval", 2000, heavy),
    Task("digits", "log_loss", "set", 1200, digits),
    Task("tumours", "log_loss", "set", 300, tumours),
    Task("rare", "log_loss", "set", 2500, rare),
)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--runs", type=Path, help="folder for tasks and runs; a temporary one without it")
    parser.add_argument("--runner", default="local")
    parser.add_argument("--chosen", type=int, default=0, help="simulations of the choice, in place of the runs")
    options = parser.parse_args()
    if options.chosen:
        simulate_choice(options.chosen)
        return
    print("| task | metric | given | withheld | fresh | stated | fresh rows | further rows | off by | size |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for task in TASKS:
            if not options.only or task.name in options.only:
                measure(task, (options.runs or Path(scratch)).absolute(), options.runner)


def measure(task: Task, folder: Path, runner: str) -> None:
    """Solve a task, and print the coverage of its further rows at each level."""
    frame = task.make()
    target = str(frame.columns[-1])
    given, test = frame[: task.given], frame[task.given : task.given + TEST_ROWS]
    further = frame[task.given + TEST_ROWS :].reset_index(drop=True)
    result = solve(
        train=given,
        test=test.drop(columns=target),
        description=f"Predict {target}.\n\n## Evaluation\n{task.metric}\n",
        model="offline",
        profile="quick",
        runner=runner,
        runs_dir=folder,
        run_id=task.name,
    )
    for level in LEVELS:
        print_level(task, result, level, further.drop(columns=target), further[target])


def print_level(task: Task, result: Result, level: float, rows: pd.DataFrame, truth: pd.Series) -> None:
    """Print what is covered of rows at a level."""
    uncertainty = result.uncertainty
    if uncertainty is None or uncertainty.kind == "none" or not uncertainty.has_quantiles(level):
        print(f"| {task.name} | {task.metric} | none: {uncertainty and uncertainty.summary} |", flush=True)
        return
    check = uncertainty.check_of(level)[0]
    inside, size = covered(result, task.kind, level, rows, truth)
    share = float(inside.mean())
    error = math.hypot(math.sqrt(level * (1 - level) / len(rows)), check.quantile_se or 0.0)
    fresh = "-" if check.coverage is None else f"{100 * check.coverage:.1f} ± {100 * (check.coverage_se or 0):.1f}"
    cells = (
        task.name,
        task.metric,
        task.given,
        uncertainty.withheld_rows,
        f"{uncertainty.fresh_rows}{'' if uncertainty.blind else ', not blind'}",
        f"{100 * level:.0f} %",
        fresh,
        f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / len(rows)):.1f} of {len(rows)}",
        f"{(share - level) / error:+.1f}",
        f"{size.mean():.3g}",
    )
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def covered(
    result: Result, kind: str, level: float, rows: pd.DataFrame, truth: pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each row is inside, and how large its interval or set is."""
    predictor = result.predictor()
    if kind == "interval":
        table = predictor.predict_interval(rows, coverage=level)
        lower, upper = table["lower"].to_numpy(), table["upper"].to_numpy()
        return (lower <= truth.to_numpy()) & (truth.to_numpy() <= upper), upper - lower
    sets = predictor.predict_set(rows, coverage=level)["set"]
    inside = [label in classes for label, classes in zip(truth, sets, strict=True)]
    return np.array(inside), sets.map(len).to_numpy()


def simulate_choice(simulations: int) -> None:
    """Print the coverage of further rows after the best of several equal scripts was chosen."""
    draw, share = np.random.default_rng(0), NormalDist().cdf
    print("| withheld rows | scripts | alike | at 80 % | at 95 % |\n|---|---|---|---|---|")
    for rows, scripts, alike in product((75, 200, 1000), (1, 10, 50), (0.0, 0.9)):
        covered = []
        for _ in range(simulations):
            common, own = draw.normal(size=rows), draw.normal(size=(scripts, rows))
            errors = math.sqrt(alike) * common + math.sqrt(1 - alike) * own
            best = errors[np.argmin((errors**2).mean(axis=1))]
            quantiles = conformal_quantiles(np.abs(best), np.arange(rows), LEVELS)
            covered.append([2 * share(quantile or 0.0) - 1 for quantile in quantiles])
        means, error = 100 * np.mean(covered, axis=0), 100 * np.std(covered, axis=0) / math.sqrt(simulations)
        cells = (f"{mean:.1f} ± {one:.1f}" for mean, one in zip(means, error, strict=True))
        print(f"| {rows} | {scripts} | {alike:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
