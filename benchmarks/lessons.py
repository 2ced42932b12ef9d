"""Whether lessons of other tasks help: each task with and without them, leaving its own runs out.

usage: python benchmarks/lessons.py TASKS WORK [--answers DIR] [--seeds 0 1 2] [--runner local] [--only TASK ...]
                                    [--set KEY=VALUE ...]

Every folder in TASKS is solved by the offline engineer with the profile quick, once for each seed, first without
lessons. Then each is solved again with the lessons that the runs on all other tasks left; folders with the same files
count as one task. Runs that WORK has already finished are kept, and one that was interrupted is resumed, so that the
command can be stopped and given again; another choice of tasks, seeds or settings needs another WORK.

Prints for each task and seed how many executions of the search it took to reach the same score, on the same withheld
rows: the score that the poorer of the two runs ended with. Rescorings, exports and baselines do not count; a study
counts as one. Then the score of what was submitted. ANSWERS has one folder per task with `answers.csv` and
`grade.json`, as for `mlestar bench`: the difference then has the standard error of a paired bootstrap over the test
rows. Without answers it is that of the fresh scores, with both errors added as if they were independent. Differences
are positive where lessons help. The last lines are means over the seeds of each task, and totals.
"""

import argparse
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlestar.bench.answers import TableAnswers
from mlestar.lessons import Stored, read_folder
from mlestar.metrics.spec import sign
from mlestar.report import FINISHED, Result

NO_SEARCH = re.compile(r"-(?:fresh|export|stage|holdout)|^(?:simple|constant)")
"""Labels of executions that belong to no search: rescorings, exports and baselines."""


@dataclass(frozen=True)
class Point:
    """The best holdout score after so many executions of the search."""

    executions: int
    best: float
    """Times the sign of the metric, so that more is better."""


@dataclass(frozen=True)
class Pair:
    """A task solved with and without lessons, with one seed; the first number of two is without."""

    task: str
    seed: int
    reached: tuple[int, int]
    """Executions to reach the same score."""
    executions: tuple[int, int]
    """Of the whole search."""
    scores: tuple[float, float]
    difference: float
    error: float
    lessons: int
    """Runs whose lessons were given."""


def main() -> None:
    options = parse_options()
    tasks = sorted(path for path in options.tasks.iterdir() if path.is_dir() and is_chosen(path, options.only))
    if len(tasks) < 2:
        sys.exit("lessons of other tasks need two tasks or more")
    for task in tasks:
        for seed in options.seeds:
            solve(options, task, seed, "without", options.work / "own" / f"{task.name}-s{seed}")
    print("| task | seed | runs | executions to the same score | executions | score without | with | difference |")
    print("|---" * 8 + "|", flush=True)
    pairs = []
    for task in tasks:
        for seed in options.seeds:
            given = give_lessons(options, task, seed)
            solve(options, task, seed, "with", given)
            pair = compare(options, task, seed, given)
            if pair:
                pairs.append(pair)
                print(format_pair(pair), flush=True)
    print_totals(pairs)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runner", default="local")
    parser.add_argument("--only", nargs="*", default=[], metavar="TASK")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    options.work = options.work.absolute()
    return options


def is_chosen(task: Path, only: Sequence[str]) -> bool:
    return not task.name.startswith(".") and (not only or task.name in only)


def name_of(task: Path, seed: int, way: str) -> str:
    return f"{task.name}-s{seed}-{way}"


def solve(options: argparse.Namespace, task: Path, seed: int, way: str, lessons: Path) -> None:
    """Solve a task unless that is done; an interrupted run goes on where it stopped."""
    name = name_of(task, seed, way)
    if read_result(options, name):
        return
    lessons.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlestar", "run", task, "--model", "offline", "--profile", "quick"]
    command += ["--runner", options.runner, "--runs-dir", options.work / "runs", "--run-id", name]
    command += ["--lessons", lessons, "--set", f"seed={seed}"]
    command += [part for setting in options.settings for part in ("--set", setting)]
    print(f"{name} ...", file=sys.stderr, flush=True)
    with (options.work / f"{name}.log").open("w", encoding="utf-8") as log:
        subprocess.run([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, check=False)


def read_result(options: argparse.Namespace, name: str) -> Result | None:
    """Return the result of a run that has reached its end."""
    path = options.work / "runs" / name / "result.json"
    if not path.is_file():
        return None
    result = Result.read(path)
    return result if result.status in FINISHED else None


def give_lessons(options: argparse.Namespace, task: Path, seed: int) -> Path:
    """Return a folder with the lessons of the runs on all other tasks; a run that has begun keeps what it was given."""
    given = Path(options.work / "given" / f"{task.name}-s{seed}")
    if given.is_dir():
        return given
    own = {one.lessons.task for one in stored_of(options, task)}
    part = given.with_name(f"{given.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for folder in sorted((options.work / "own").iterdir()):
        for one in read_folder(folder).stored:
            if one.lessons.task not in own:
                shutil.copy(one.path, part)
    part.rename(given)
    return given


def stored_of(options: argparse.Namespace, task: Path) -> list[Stored]:
    """Return the lessons that the runs on a task left."""
    folders = [options.work / "own" / f"{task.name}-s{seed}" for seed in options.seeds]
    return [one for folder in folders for one in read_folder(folder).stored]


def compare(options: argparse.Namespace, task: Path, seed: int, given: Path) -> Pair | None:
    """Return how two runs on a task differ; None with a line on why, where one of them has no score."""
    results = [read_result(options, name_of(task, seed, way)) for way in ("without", "with")]
    curves = [curve_of(result) if result else [] for result in results]
    first, second = results
    if (
        first is None
        or second is None
        or not curves[0]
        or not curves[1]
        or not (first.submission and second.submission)
    ):
        print(f"{task.name}, seed {seed}: left out, as a run did not end or has no score", file=sys.stderr)
        return None
    target = min(curve[-1].best for curve in curves)
    own = name_of(task, seed, "with")
    return Pair(
        task=task.name,
        seed=seed,
        reached=(reach(curves[0], target), reach(curves[1], target)),
        executions=(curves[0][-1].executions, curves[1][-1].executions),
        lessons=sum(one.lessons.run != own for one in read_folder(given).stored),
        **dict(zip(("scores", "difference", "error"), score(options, task, first, second), strict=True)),
    )


def curve_of(result: Result) -> list[Point]:
    """Return the best holdout score after each execution of the search, from the first score on, and at its end."""
    factor = sign(result.direction)
    scores = {row.id: row.score.holdout for row in result.solutions if row.status == "ok"}
    labels = search_labels(Path(result.folder) / "ledger.sqlite")
    last = {label: number for number, label in enumerate(labels, 1)}
    best, points = -math.inf, []
    for number, label in enumerate(labels, 1):
        value = scores.get(label)
        # A script that was repaired has its score from its last execution.
        if value is not None and last[label] == number:
            best = max(best, factor * value)
        if best > -math.inf:
            points.append(Point(number, best))
    return points


def search_labels(ledger: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT label FROM entries WHERE kind = 'execution' ORDER BY rowid").fetchall()
    return [label for (label,) in rows if not NO_SEARCH.search(label)]


def reach(curve: Iterable[Point], target: float) -> int:
    return next(point.executions for point in curve if point.best >= target)


def score(
    options: argparse.Namespace, task: Path, first: Result, second: Result
) -> tuple[tuple[float, float], float, float]:
    """Return the scores of what was submitted, by how much the second is better, and the standard error of that."""
    if options.answers is None:
        scores = (first.score.fresh or math.nan, second.score.fresh or math.nan)
        error = math.hypot(first.score.fresh_se or 0.0, second.score.fresh_se or 0.0)
        return scores, sign(first.direction) * (scores[1] - scores[0]), error
    answers = TableAnswers(options.answers / task.name, task)
    before, after = (answers.grade(Path(str(result.submission))) for result in (first, second))
    if before.score is None or after.score is None:
        return (math.nan, math.nan), math.nan, math.nan
    resampled = np.array(after.resampled) - np.array(before.resampled)
    difference = sign(answers.direction) * (after.score - before.score) + 0.0  # without the sign of a negative zero
    return (before.score, after.score), difference, float(np.nanstd(resampled))


def format_pair(pair: Pair) -> str:
    cells = [pair.task, str(pair.seed), str(pair.lessons), "{} / {}".format(*pair.reached)]
    cells += ["{} / {}".format(*pair.executions), *(f"{score:.5g}" for score in pair.scores)]
    return f"| {' | '.join(cells)} | {pair.difference:+.3g} ± {pair.error:.2g} |"


def print_totals(pairs: Sequence[Pair]) -> None:
    """Print the mean over the seeds of each task, and totals over all pairs."""
    print("\n| task | pairs | executions to the same score, without | with | difference | error over rows |")
    print("|---" * 6 + "|")
    for task in dict.fromkeys(pair.task for pair in pairs):
        own = [pair for pair in pairs if pair.task == task]
        before, after = (np.mean([pair.reached[way] for pair in own]) for way in (0, 1))
        error = math.sqrt(sum(pair.error**2 for pair in own)) / len(own)
        difference = np.mean([pair.difference for pair in own])
        print(f"| {task} | {len(own)} | {before:.2f} | {after:.2f} | {difference:+.3g} | {error:.2g} |")
    if not pairs:
        return
    before, after = (sum(pair.reached[way] for pair in pairs) for way in (0, 1))
    saved = np.array([pair.reached[0] - pair.reached[1] for pair in pairs])
    print(f"\nexecutions to the same score: {before} without, {after} with lessons, over {len(pairs)} pairs")
    print(f"saved per pair: {saved.mean():+.2f} ± {spread(saved):.2f} (standard error over pairs)")
    known = [pair for pair in pairs if pair.error > 0]
    better = sum(pair.difference > pair.error for pair in known)
    worse = sum(pair.difference < -pair.error for pair in known)
    print(f"final score: better beyond its error in {better}, worse in {worse}, alike in {len(pairs) - better - worse}")
    if known:
        standard = np.array([pair.difference / pair.error for pair in known])
        print(f"mean difference in its errors: {standard.mean():+.2f} ± {spread(standard):.2f}")
    print(json.dumps({"pairs": len(pairs), "without": before, "with": after, "better": better, "worse": worse}))


def spread(values: np.ndarray) -> float:
    """Return the standard error of a mean."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


if __name__ == "__main__":
    main()
