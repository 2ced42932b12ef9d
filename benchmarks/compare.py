"""How often `mlestar bench compare` says something wrong, and how often it finds a real difference.

usage: python benchmarks/compare.py [--benches 400] [--bench DIR]

Pairs are drawn in standard errors of the difference of two scores over the choice of rows. The errors of two seeds of a
task have a correlation of 0.64, because their rows are the same. Kinds of benchmark:

* same: one tool twice; its runs differ by 0.7.
* two outcomes: one tool twice; a run finds a recipe worth 3, or does not (3 of 10 do).
* heavy tails: one tool twice; its runs differ by Student's distribution with two degrees of freedom.
* exchanged: two tools that differ by 3 on every task, the members of every pair exchanged at random.
* mixed: the second is better on as many tasks as it is worse, by 3 (standard deviation): none is better on the whole.
* better by 1, by 2: the second is better by this on average; the tasks differ by half of it.

Ways to judge all tasks:

* padded: the interval of the command, Student's with two more tasks whose advantages are 0.5 and -0.5.
* student: the same without these.
* tasks: the percentiles of a bootstrap over tasks.
* rows: the percentiles of a bootstrap over tasks and rows.
* nested: the percentiles of a bootstrap over tasks, seeds and rows.
* exchange: the randomization test alone.
* both: `padded` and `exchange`, which is what the command does.

Prints how often each says "better" or "worse", in percent: at most 5 is wanted in the first five kinds, much in the
last two. Then how often the intervals contain the true advantage, in percent (95 is wanted). Then how often the line of
a single task says "better" or "worse", by its interval alone and by both: at most 5 is wanted in the first four kinds.

With `--bench`, shuffled copies of the rows of a benchmark: every two of its tools, with the members of pairs exchanged
at random (seeds 0 to 19).
"""

import argparse
import math
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from mlestar.bench.compare import compare_pairs, read_bench, tools_of
from mlestar.bench.pairs import Pair, Pairs, pair_rows
from mlestar.bench.rows import Bench
from mlestar.bench.verdicts import LEVEL, judge_all, judge_task, mean_interval

RESAMPLES, BOOTSTRAPS = 100, 400
COMMON, RUNS, TRUTH_TASKS = 0.8, 0.7, 20_000
SHUFFLES = 20
NULLS = ("same", "two outcomes", "heavy tails", "exchanged", "mixed")
KINDS = (*NULLS, "better by 1", "better by 2")
SIZES = ((2, 3), (3, 1), (3, 6), (6, 1), (9, 1), (9, 3), (13, 1), (20, 1))
TASK_SEEDS = (1, 2, 3, 5, 6, 10)
INTERVALS = ("padded", "student", "tasks", "rows", "nested")
Interval = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benches", type=int, default=400)
    parser.add_argument("--bench", type=Path)
    options = parser.parse_args()
    if options.bench:
        print_shuffled(read_bench(options.bench))
        return
    print_overall(options.benches)
    print_single_tasks(options.benches)


def print_overall(benches: int) -> None:
    ways = (*INTERVALS, "exchange", "both")
    print(f"| kind | tasks x seeds | {' | '.join(ways)} | {' | '.join(f'{way} covers' for way in INTERVALS)} |")
    print("|---|---|" + "--:|" * (len(ways) + len(INTERVALS)))
    for kind in KINDS:
        for tasks, seeds in SIZES:
            said, covered = measure(kind, tasks, seeds, benches)
            print(f"| {kind} | {tasks} x {seeds} | {cells(said)} | {cells(covered)} |", flush=True)


def print_single_tasks(benches: int) -> None:
    print("\n| kind | " + " | ".join(f"{seeds} seeds: interval | both" for seeds in TASK_SEEDS) + " |")
    print("|---|" + "--:|--:|" * len(TASK_SEEDS))
    for kind in KINDS:
        said = [np.mean([task_says(kind, seeds, bench) for bench in range(benches)], axis=0) for seeds in TASK_SEEDS]
        print(f"| {kind} | {cells(np.concatenate(said))} |", flush=True)


def task_says(kind: str, seeds: int, bench: int) -> tuple[bool, bool]:
    """Return whether the interval of a task excludes zero, and whether its line says something."""
    rng = np.random.default_rng([bench, seeds, KINDS.index(kind)])
    found = judge_task(draw_pairs(kind, 1, seeds, rng).found)
    low, high = found.low or 0.0, found.high or 0.0
    return low * high > 0, found.verdict != "cannot tell"


def cells(shares: np.ndarray) -> str:
    return " | ".join(f"{100 * share:.1f}" for share in shares)


def measure(kind: str, tasks: int, seeds: int, benches: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each way says something, and how often each interval covers the true advantage."""
    truth = true_advantage(kind)
    said: list[list[bool]] = []
    covered: list[list[bool]] = []
    for bench in range(benches):
        rng = np.random.default_rng([bench, tasks, seeds, KINDS.index(kind)])
        pairs = draw_pairs(kind, tasks, seeds, rng)
        intervals = list(find_intervals(pairs, rng))
        found = judge_all(pairs)
        said.append([low > 0 or high < 0 for low, high in intervals])
        said[-1] += [found.chance <= LEVEL, found.verdict != "cannot tell"]
        covered.append([low <= truth <= high for low, high in intervals])
    return np.mean(said, axis=0), np.mean(covered, axis=0)


def true_advantage(kind: str) -> float:
    """Return the mean advantage over very many tasks; 0 where no tool is better by construction."""
    if kind in NULLS:
        return 0.0
    rng = np.random.default_rng(0)
    return float(np.mean([pair.advantage for pair in draw_pairs(kind, TRUTH_TASKS, 1, rng).found]))


def draw_pairs(kind: str, tasks: int, seeds: int, rng: np.random.Generator) -> Pairs:
    """Draw the pairs of one benchmark."""
    own = math.sqrt(1 - COMMON**2)
    noise = COMMON * rng.normal(size=(tasks, 1)) + own * rng.normal(size=(tasks, seeds))
    differences = draw_differences(kind, tasks, seeds, rng) + noise
    if kind == "exchanged":
        differences = differences * rng.choice((-1, 1), size=differences.shape)
    shared = COMMON * rng.normal(size=(tasks, 1, RESAMPLES))
    resampled = differences[..., None] + shared + own * rng.normal(size=(tasks, seeds, RESAMPLES))
    found = [
        Pair(str(task), seed, float(differences[task, seed]), scores, float(scores.std()), np.sign(scores))
        for task, of_task in enumerate(resampled)
        for seed, scores in enumerate(of_task)
    ]
    return Pairs(tuple(found))


def draw_differences(kind: str, tasks: int, seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Draw what the members of pairs differ by in truth."""
    size = (tasks, seeds)
    runs = RUNS * (rng.normal(size=size) - rng.normal(size=size))
    if kind == "two outcomes":
        return 3.0 * (rng.random(size) < 0.3) - 3.0 * (rng.random(size) < 0.3)
    if kind == "heavy tails":
        return RUNS * (rng.standard_t(2, size) - rng.standard_t(2, size))
    if kind == "exchanged":
        return np.full(size, 3.0)
    if kind == "mixed":
        return runs + rng.normal(0, 3, (tasks, 1))
    if kind == "same":
        return runs
    mean = float(kind.rpartition(" ")[2])
    return runs + rng.normal(mean, mean / 2, (tasks, 1))


def find_intervals(pairs: Pairs, rng: np.random.Generator) -> Iterator[Interval]:
    """Yield the intervals of the mean advantage in the order of `INTERVALS`."""
    of_tasks = list(pairs.by_task.values())
    means = np.array([np.mean([pair.advantage for pair in pairs]) for pairs in of_tasks])
    count, middle = len(means), float(means.mean())
    yield mean_interval(means)
    half = float(stdtrit(count - 1, 1 - LEVEL / 2)) * float(means.std(ddof=1)) / math.sqrt(count)
    yield middle - half, middle + half
    tasks = rng.integers(0, count, (BOOTSTRAPS, count))
    yield percentiles(means[tasks].mean(axis=1))
    outcomes = np.array([[pair.outcomes for pair in pairs] for pairs in of_tasks])
    seeds = rng.integers(0, outcomes.shape[1], (BOOTSTRAPS, count, outcomes.shape[1]))
    rows = rng.integers(0, RESAMPLES, (BOOTSTRAPS, count, 1))
    yield percentiles(outcomes.mean(axis=1)[tasks, rows[..., 0]].mean(axis=1))
    yield percentiles(outcomes[tasks[..., None], seeds, rows].mean(axis=(1, 2)))


def percentiles(drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def print_shuffled(bench: Bench) -> None:
    """Print how often shuffled copies of the rows of a benchmark are said to differ."""
    tools = tools_of(bench)
    print("| rows | pairs | cannot tell, of 20 | as they are |\n|---|--:|--:|---|")
    for first, second in combinations(tools, 2):
        rows = [[row for row in bench.rows if row.tool == tool] for tool in (first, second)]
        pairs = pair_rows(*rows)
        verdicts = [judge_all(exchanged(pairs, seed)).verdict for seed in range(SHUFFLES)]
        as_is = compare_pairs(pairs, first, second).overall.verdict
        print(f"| {first}, {second} | {len(pairs.found)} | {verdicts.count('cannot tell')} | {second} {as_is} |")


def exchanged(pairs: Pairs, seed: int) -> Pairs:
    """Return pairs of which the members of some, drawn at random, are exchanged."""
    signs = np.random.default_rng(seed).choice((-1, 1), size=len(pairs.found))
    return Pairs(tuple(turned(pair, int(sign)) for pair, sign in zip(pairs.found, signs, strict=True)))


def turned(pair: Pair, sign: int) -> Pair:
    difference = None if pair.difference is None else sign * pair.difference
    return Pair(pair.task, pair.seed, difference, sign * pair.resampled, pair.row_error, sign * pair.outcomes)


if __name__ == "__main__":
    main()
