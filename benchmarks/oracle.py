"""What scores tell whoever submits often: inflation of the holdout and the fresh score of scripts without any skill.

usage: python benchmarks/oracle.py [--seeds 5] [--submissions 200] [--rows 2000]

The labels of a generated task are coin flips, so that no script can have any skill. Submissions are graded by the real
grader, on the real holdout of the search and on real fresh holdouts. Agents:

* `random`: every script guesses; the best by holdout score are rescored on fresh rows, and the best of these wins;
* `majority`: every script guesses, and the last one takes the majority vote of all guesses, each turned around if its
  score was below a half (Blum and Hardt, 2015);
* `climb`: starts from a guess, changes a few rows at a time, and keeps the change if its score is better;
* `digits`: log losses that are sums of powers of two, one for each of several rows.

What an agent is told: `exact`: scores in full precision; `shown`: scores as prompts contain them; `ladder`: as prompts
contain them when the holdout has graded as many submissions as it may (here: one). Prints, as means over the seeds,
the inflation of the holdout score and of the fresh score in standard errors, and for `digits` the share of the labels
that is read.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation import Grader, fresh_holdouts, infer_split, search_holdout
from mlestar.evaluation.holdout.plan import Grade
from mlestar.metrics.precision import Standing
from mlestar.nodes.finalists import error_of_mean
from mlestar.runtime.graded import BETTER, GradedSubmissions
from mlestar.state import Verdict
from mlestar.store import Ledger

TOLD = {"exact": None, "shown": 10**9, "ladder": 1}
"""By what an agent is told: how many submissions have a score that is shown; None: in full precision."""
FINALISTS, FRESH_SPLITS = 3, 2
RESAMPLES = 60
"""Of the bootstrap; fewer than a run takes, to save time."""
CHANGED_ROWS = 5
LABELS_PER_SUBMISSION = 34
Guess = np.ndarray
"""The predicted label (0 or 1) of every labelled row of the task."""


@dataclass
class Oracle:
    """Grades guesses, and tells an agent what it may know."""

    task: Task
    told: str
    seed: int
    folder: Path
    count: int = 0
    best: float = -np.inf
    paths: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan = infer_split(self.task)
        self.grader = Grader(self.task, search_holdout(self.task, plan, seed=self.seed), RESAMPLES)
        holdouts = fresh_holdouts(self.task, plan, seed=self.seed, count=FRESH_SPLITS)
        self.fresh = [Grader(self.task, holdout, RESAMPLES) for holdout in holdouts]
        self.ledger = Ledger(self.folder / f"{self.told}{self.seed}.sqlite")
        self.graded = GradedSubmissions(self.ledger, TOLD[self.told] or 10**9)

    def grade(self, guess: Guess, grader: Grader | None = None) -> tuple[Grade, Path]:
        """Return what a grader says about a guess, by default that of the search, and the file it was written to."""
        grader = grader or self.grader
        self.count += 1
        path = self.folder / f"{self.told}{self.seed}-{self.count}.csv"
        rows = grader.holdout.withheld
        ids = self.task.train.rows["id"].to_numpy()[rows]
        pd.DataFrame({"id": ids, "label": guess[rows]}).to_csv(path, index=False)
        grade = grader.grade(path)
        if grade.score is None:
            raise ValueError(grade.problem)
        return grade, path

    def is_told_better(self, guess: Guess) -> bool:
        """Return whether an agent learns that a guess is better than all before it."""
        score = self.tell(guess)
        if isinstance(score, str):
            return score == BETTER
        better = score > self.best
        self.best = max(score, self.best)
        return better

    def tell(self, guess: Guess) -> float | Standing:
        """Return what an agent is told of a guess."""
        grade, path = self.grade(guess)
        if self.told == "exact":
            return grade.score or 0.0
        standing = asyncio.run(self._record(grade, path))
        told = Verdict(status="ok", holdout=grade.score, holdout_se=grade.standard_error, standing=standing).shown
        return 0.0 if told is None else told

    async def _record(self, grade: Grade, path: Path) -> Standing | None:
        self.paths[path.name] = path

        async def improves_on(other: str) -> bool:
            comparison = self.grader.compare(path, self.paths[other])
            return comparison.difference > comparison.standard_error

        return await self.graded.record("holdout", path.name, grade.score or 0.0, "maximize", improves_on)

    def inflation(self, guess: Guess) -> tuple[float, float]:
        """Return by how many standard errors the holdout and the fresh score of a guess are better than chance."""
        grade, _ = self.grade(guess)
        fresh, error = self.fresh_score(guess)
        return ((grade.score or 0) - 0.5) / (grade.standard_error or 1), (fresh - 0.5) / error

    def fresh_score(self, guess: Guess) -> tuple[float, float]:
        grades = [self.grade(guess, grader)[0] for grader in self.fresh]
        scores = [grade.score or 0.0 for grade in grades]
        return float(np.mean(scores)), error_of_mean(scores, [grade.standard_error or 0.0 for grade in grades])


def guesses(task: Task, seed: int) -> Iterator[Guess]:
    rng = np.random.default_rng(seed)
    while True:
        yield rng.integers(0, 2, len(task.train.rows))


def submit_random(oracle: Oracle, submissions: int) -> Guess:
    """Guess; the run itself chooses and rescores the best in full precision, whatever agents are told."""
    tried = [guess for guess, _ in zip(guesses(oracle.task, oracle.seed), range(submissions), strict=False)]
    finalists = sorted(tried, key=lambda guess: -(oracle.grade(guess)[0].score or 0))[:FINALISTS]
    return max(finalists, key=lambda guess: oracle.fresh_score(guess)[0])


def submit_majority(oracle: Oracle, submissions: int) -> Guess:
    votes = np.zeros(len(oracle.task.train.rows))
    for guess, _ in zip(guesses(oracle.task, oracle.seed), range(submissions), strict=False):
        told = oracle.tell(guess)
        right = told > 0.5 if isinstance(told, float) else told == BETTER
        known = isinstance(told, float) or told == BETTER
        votes += (2 * guess - 1) * (1 if right else -1) * known
    return (votes > 0).astype(int)


def climb(oracle: Oracle, submissions: int) -> Guess:
    rng = np.random.default_rng(oracle.seed + 1)
    best = next(guesses(oracle.task, oracle.seed))
    oracle.is_told_better(best)
    withheld = oracle.grader.holdout.withheld
    for _ in range(submissions - 1):
        changed = best.copy()
        rows = rng.choice(withheld, CHANGED_ROWS, replace=False)
        changed[rows] = 1 - changed[rows]
        if oracle.is_told_better(changed):
            best = changed
    return best


AGENTS: dict[str, Callable[[Oracle, int], Guess]] = {
    "random": submit_random,
    "majority": submit_majority,
    "climb": climb,
}


def read_digits(task: Task, seed: int, folder: Path, told: str) -> tuple[int, float]:
    """Return how many submissions the attack takes, and the share of the labels that it reads."""
    grader = Grader(task, search_holdout(task, infer_split(task), seed=seed))
    withheld = grader.holdout.withheld
    frame = task.train.rows.iloc[withheld]
    truth, read = (frame["label"] == "1").to_numpy(), np.ones(len(withheld), dtype=bool)
    starts = range(0, len(withheld), LABELS_PER_SUBMISSION)
    for start in starts:
        weights = 8.0 / 2.0 ** np.arange(min(LABELS_PER_SUBMISSION, len(withheld) - start))
        logits = np.zeros(len(withheld))
        logits[start : start + len(weights)] = weights
        path = folder / "digits.csv"
        probabilities = [repr(float(value)) for value in 1 / (1 + np.exp(-logits))]
        pd.DataFrame({"id": frame["id"], "label": probabilities}).to_csv(path, index=False)
        grade = grader.grade(path)
        shown = Verdict(status="ok", holdout=grade.score, holdout_se=grade.standard_error).shown
        score = grade.score if told == "exact" else shown
        rest = (len(withheld) - len(weights)) * np.log(2) + np.log1p(np.exp(-weights)).sum()
        no = float(score or 0) * len(withheld) - rest
        for place, weight in enumerate(weights):
            if no >= weight - weights[-1] / 2:
                read[start + place], no = False, no - weight
    return len(starts), float((read == truth).mean())


def make_task(folder: Path, rows: int, seed: int, metric: str) -> Task:
    """Write a task whose labels are coin flips."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    frame = pd.DataFrame({"id": np.arange(rows * 10 // 7), "x": rng.normal(size=rows * 10 // 7).round(4)})
    frame["label"] = rng.integers(0, 2, len(frame))
    test = rng.random(len(frame)) < 0.3
    frame[~test].to_csv(folder / "train.csv", index=False)
    frame[test].drop(columns="label").to_csv(folder / "test.csv", index=False)
    frame.loc[test, ["id"]].assign(label=0).to_csv(folder / "sample_submission.csv", index=False)
    return Task.load(folder, metric=metric)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2000)
    options = parser.parse_args()
    print("| agent | told | submissions | holdout inflation | fresh inflation |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = [make_task(folder / f"a{seed}", options.rows, seed, "accuracy") for seed in range(options.seeds)]
        for agent, act in AGENTS.items():
            for told in ("exact",) if agent == "random" else TOLD:
                rows = []
                for seed, task in enumerate(tasks):
                    oracle = Oracle(task, told, seed, folder)
                    rows.append(oracle.inflation(act(oracle, options.submissions)))
                    oracle.ledger.close()
                holdout, fresh = np.mean(rows, axis=0)
                print(f"| {agent} | {told} | {options.submissions} | {holdout:+.1f} | {fresh:+.1f} |", flush=True)
        print("\n| agent | told | submissions | labels read |\n|---|---|---|---|")
        for told in ("exact", "shown"):
            seeds = range(options.seeds)
            losses = [make_task(folder / f"{told}{seed}", options.rows, seed, "log_loss") for seed in seeds]
            results = [read_digits(task, seed, folder, told) for seed, task in enumerate(losses)]
            count, share = results[0][0], np.mean([share for _, share in results])
            print(f"| digits | {told} | {count} | {100 * share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
