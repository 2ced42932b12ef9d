"""Seconds and memory of grading one submission: in this process, and in the bounded child.

python -m benchmarks.grading [ROWS or TASK ...]

ROWS makes a table of that many rows; TASK is a task folder, of which the withheld rows of its holdout are graded.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.evaluation.answers import check_form
from mlestar.evaluation.grader import real_form
from mlestar.evaluation.grading_process import GradingProcess
from mlestar.evaluation.holdout.stage import staged_sample

SECONDS = 600.0
BLANK_MB, HUGE_MB = 400, 600


def make_task(folder: Path, rows: int) -> Task:
    """Write a table with about `rows` rows to predict; a holdout withholds as many, at most 50,000."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(4 * rows), "x": rng.normal(size=4 * rows).round(4)})
    frame["y"] = (frame["x"] + rng.normal(size=len(frame))).round(4)
    test = rng.random(len(frame)) < 0.25
    frame[~test].to_csv(folder / "train.csv", index=False)
    frame[test][["id", "x"]].to_csv(folder / "test.csv", index=False)
    frame[test][["id"]].assign(y=0.0).to_csv(folder / "sample_submission.csv", index=False)
    return Task.load(folder, metric="rmse", split="random")


def timed(title: str, work: Callable[[], object]) -> None:
    """Print what work took."""
    start = time.perf_counter()
    result = work()
    print(f"{title:40} {time.perf_counter() - start:8.2f} s   {str(result)[:150]}", flush=True)


def measure_task(folder: Path) -> None:
    """Grade a submission for the holdout of a task folder: the truth, or noise about the sample submission."""
    task = Task.load(folder)
    holdout = search_holdout(task, infer_split(task), seed=0)
    sample = staged_sample(task, holdout)
    if sample is None:
        print(f"{folder.name}: no sample submission")
        return
    if task.spec.prediction_kind != "probability" and set(task.spec.target) <= set(sample.columns):
        columns = list(task.spec.target)
        sample[columns] = task.train.rows[columns].iloc[holdout.withheld].to_numpy()
    else:
        columns = [column for column in sample.columns if column != task.spec.id]
        noise = np.random.default_rng(0).uniform(0.9, 1.1, (len(sample), len(columns)))
        sample = sample.assign(**dict(zip(columns, (sample[columns].astype(float) * noise).T.to_numpy(), strict=True)))
    grader, process = Grader(task, holdout), GradingProcess()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "submission.csv"
        sample.to_csv(path, index=False)
        print(f"{folder.name}: {len(holdout.withheld):,} rows")
        timed("answers, once for a holdout", lambda: grader.answers.name)
        timed("grade here", lambda: grader.grade(path))
        timed("grade in the child, first time", lambda: process.grade(grader.answers, path, SECONDS))
        timed("grade in the child, again", lambda: process.grade(grader.answers, path, SECONDS))
    process.close()


def measure(rows: int) -> None:
    """Grade and compare submissions of one size, and files that are much too large."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        task = make_task(folder, rows)
        holdout = search_holdout(task, infer_split(task), seed=0)
        grader, process = Grader(task, holdout), GradingProcess()
        withheld = task.train.rows.iloc[holdout.withheld]
        path, blank, huge = folder / "right.csv", folder / "blank.csv", folder / "huge.csv"
        withheld[["id"]].assign(y=withheld["x"]).to_csv(path, index=False)
        print(f"{len(withheld):,} rows, {path.stat().st_size:,} bytes of at most {grader.form.max_bytes:,}")
        timed("answers, once for a holdout", lambda: grader.answers.name)
        timed("grade here", lambda: grader.grade(path))
        timed("grade in the child, first time", lambda: process.grade(grader.answers, path, SECONDS))
        timed("grade in the child, again", lambda: process.grade(grader.answers, path, SECONDS))
        timed("compare here", lambda: grader.compare(path, path))
        timed("compare in the child", lambda: process.compare(grader.answers, path, path, SECONDS))
        blank.write_bytes(b"id,y\n" + b"\n" * (BLANK_MB * 2**20))
        timed(f"{BLANK_MB} MB of blank lines", lambda: process.grade(grader.answers, blank, SECONDS))
        with huge.open("wb") as file:
            file.truncate(HUGE_MB * 2**20)
        timed(f"{HUGE_MB} MB", lambda: process.grade(grader.answers, huge, SECONDS))
        form = real_form(task)
        task.test.rows[["id"]].assign(y=task.test.rows["x"]).to_csv(path, index=False)
        timed(f"check {form.rows:,} real rows here", lambda: check_form(form, path))
        timed("check them in the child, first time", lambda: process.check(form, path, SECONDS))
        timed("check them in the child, again", lambda: process.check(form, path, SECONDS))
        process.close()
    print()


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["1000", "100000", "1000000"]:
        if argument.isdigit():
            measure(int(argument))
        else:
            measure_task(Path(argument))
