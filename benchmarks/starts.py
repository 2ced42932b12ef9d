"""Runs that start from baselines with habits of other people, without a language model: the score before and after.

    python -m benchmarks.starts [--runner local] [--profile quick] [--folder DIR] [--only SCRIPT]

Three baselines in `benchmarks/starts/`, written for this benchmark with habits that a code search found:

* `pathlib_kernel.py`: a path object of Kaggle's folder, a walk through it, an own split and an own name for the score,
  as in `ews.py` of erickeniuk/CS100.
* `forest_notebook.ipynb`: a notebook with magics, shell lines, displays, plots of libraries that may be missing, and
  the score of the rows that were fitted, as in `adamward_titanic-playbook.py` of aorursy/Filtered-NB-Python-3 and
  `notebooks_2022/l0r1knl_eda-umap-analysis-baseline-tpsmay2022/eda-umap-analysis-baseline-tpsmay2022.py` of
  Hynn01/dslinter-experiments.
* `argument_script.py`: folders as arguments as in `src/NCAAM/inference.py` of ds-wook/NCAAM, and no score at all, a
  packed sample submission and a file named after the model as in `train_lightgbm.py` of fqx/1C_Company_future_sales.

The data ship with scikit-learn. The test rows have answers that no script gets, and the last two columns are scored on
them: the script as the run started from it, and what was submitted.
"""

import argparse
import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error

import mlestar
from mlestar.metrics.precision import format_score
from mlestar.report import Result
from mlestar.store import Blobs, RunFolder

SCRIPTS = Path(__file__).with_name("starts")
TEST_SHARE = 0.3
RESAMPLES = 500


@dataclass(frozen=True)
class Case:
    """A baseline and its task."""

    script: str
    metric: str
    target: str
    load: Callable[[], pd.DataFrame]
    score: Callable[[np.ndarray, np.ndarray], float]


def tumours() -> pd.DataFrame:
    data = load_breast_cancer(as_frame=True)
    frame = data.frame.rename(columns={"target": "benign"})
    return frame.rename(columns=lambda name: name.replace(" ", "_"))


def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True).frame.rename(columns={"target": "progression"})


def digits() -> pd.DataFrame:
    frame = load_digits(as_frame=True).frame.rename(columns={"target": "digit"})
    return frame.astype(int)


CASES = (
    Case("pathlib_kernel.py", "rmse", "progression", diabetes, root_mean_squared_error),
    Case("forest_notebook.ipynb", "log_loss", "benign", tumours, lambda y, p: log_loss(y, np.clip(p, 1e-6, 1 - 1e-6))),
    Case("argument_script.py", "accuracy", "digit", digits, accuracy_score),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", default="auto")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--folder", type=Path, help="where tasks and runs are written")
    parser.add_argument("--only", choices=[case.script for case in CASES], help="one of the baselines")
    options = parser.parse_args()
    root = options.folder or Path(tempfile.mkdtemp(prefix="mlestar-starts-"))
    print("| start | metric | as given | before | after | gain | submitted | test before | test after |")
    print("|---|---|--:|--:|--:|--:|---|--:|--:|")
    for case in (case for case in CASES if options.only in (None, case.script)):
        answers = write_task(case, root / "tasks" / case.target)
        result = mlestar.solve(
            root / "tasks" / case.target,
            settings={"model": "offline", "runner": options.runner, "profile": options.profile},
            runs_dir=root / "runs",
            run_id=Path(case.script).stem,
            start=SCRIPTS / case.script,
        )
        print(describe(case, result, answers), flush=True)


def write_task(case: Case, folder: Path) -> pd.DataFrame:
    """Write a task folder; return the ids and labels of its test rows."""
    rows = case.load().sample(frac=1, random_state=0).reset_index(drop=True)
    rows.insert(0, "id", np.arange(len(rows)))
    size = int(TEST_SHARE * len(rows))
    train, test = rows.iloc[:-size], rows.iloc[-size:]
    folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=case.target).to_csv(folder / "test.csv", index=False)
    filler = 0.5 if case.metric == "log_loss" else train[case.target].iloc[0]
    test[["id"]].assign(**{case.target: filler}).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f'metric = "{case.metric}"\n', encoding="utf-8")
    return test[["id", case.target]]


def describe(case: Case, result: Result, answers: pd.DataFrame) -> str:
    """Return the row of a run."""
    start = result.start
    if start is None:
        return f"| {case.script} | {case.metric} | no start |"
    given = format_score(start.given_holdout, start.given_holdout_se)
    if start.given_holdout is None:
        given = f"{start.given_status}"
    score, error, _ = start.before
    cells = [
        case.script,
        case.metric,
        given,
        format_score(score, error),
        format_score(start.after, start.after_se),
        "-" if start.gain is None else format_score(start.gain, start.gain_se),
        f"{result.winner}" + (f" ({start.warning})" if start.warning else ""),
        score_on_test(case, answers, find_export(result, "t0.s1")),
        score_on_test(case, answers, Path(result.submission) if result.submission else None),
    ]
    return f"| {' | '.join(cells)} |"


def find_export(result: Result, solution: str) -> Path | None:
    """Return what a solution submitted for the test rows: it was exported early, so that the ledger has it."""
    folder = RunFolder(Path(result.folder).parent, result.run_id)
    with closing(sqlite3.connect(folder.ledger)) as ledger:
        query = "SELECT result FROM entries WHERE kind = 'export' AND label = ?"
        rows = ledger.execute(query, (f"{solution}-export",)).fetchall()
    blobs = [json.loads(text)["files"].get("submission.csv") for (text,) in rows]
    return Blobs(folder.blobs).path(blobs[0]) if blobs and blobs[0] else None


def score_on_test(case: Case, answers: pd.DataFrame, submission: Path | None) -> str:
    """Return the score on the answers with its bootstrap error."""
    if submission is None:
        return "-"
    joined = answers.merge(pd.read_csv(submission), on="id", suffixes=("", "_predicted"))
    truth, predicted = joined[case.target].to_numpy(), joined[f"{case.target}_predicted"].to_numpy()
    draw = np.random.default_rng(0)
    scores = [
        case.score(truth[rows], predicted[rows])
        for rows in (draw.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES))
    ]
    return format_score(float(case.score(truth, predicted)), float(np.std(scores)))


if __name__ == "__main__":
    main()
