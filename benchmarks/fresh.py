"""Which scores pick the winner among the finalists: the holdout's, those of the fresh rows, or both together.

usage: python benchmarks/fresh.py [--searches 4000]

A search evaluates 5 to 50 scripts on its holdout (a fifth of the rows that are not kept apart); the three best are
scored again on the fresh rows (15 % of the labelled rows). Scripts are right on about 80 % of the rows. Their true
scores differ by `gap` (standard deviation). Scripts fail on the same rows: `alike` is the correlation of their errors.
Scores are drawn from the normal distribution of means over rows.

* independent: every script has a true score of its own.
* refined: every script changes the one that is best on the holdout so far; half of the changes do harm.
* copied: as refined, but one script has learnt something of the labels of the holdout: there it seems up to 30 points
  better, in truth it is 5 points worse.

Ways to choose: `holdout` and `fresh` alone; `both`, weighted by their numbers of rows; `checked`: both, but fresh alone
as soon as the holdout score of one finalist is better than its fresh score by more than two standard errors of their
difference. The lost points are what the choice is worse in truth than the best finalist, in hundredths of a point of
accuracy (so 10 is 0.001); `right` is how often it is the best finalist.
"""

import argparse
from dataclasses import dataclass
from itertools import product

import numpy as np

from mlestar.report.ranking import TOO_GOOD

SIZES = (1000, 3000, 10_000, 100_000)
COUNTS = (5, 15, 50)
GAPS = (0.003, 0.01)
ALIKE = (0.5, 0.9)
SEARCHES = ("independent", "refined", "copied")
WAYS = ("holdout", "fresh", "both", "checked")
ACCURACY, FINALISTS, FRESH_SHARE, HOLDOUT_SHARE = 0.8, 3, 0.15, 0.2
RETRAINED = 0.2
"""Of the gap: how much a script's true score varies from one training to the next."""


@dataclass(frozen=True)
class Setup:
    """One search."""

    search: str
    rows: int
    count: int
    gap: float
    alike: float

    @property
    def fresh_rows(self) -> int:
        return int(FRESH_SHARE * self.rows)

    @property
    def holdout_rows(self) -> int:
        return int(HOLDOUT_SHARE * (self.rows - self.fresh_rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=4000)
    searches = parser.parse_args().searches
    print("lost points (hundredths), and how often the choice is right\n")
    print("| search | rows | " + " | ".join(WAYS) + " |\n|---|---" + "|---" * len(WAYS) + "|")
    for search, rows in product(SEARCHES, SIZES):
        setups = [Setup(search, rows, *values) for values in product(COUNTS, GAPS, ALIKE)]
        outcomes = np.mean([measure(setup, searches) for setup in setups], axis=0)
        cells = " | ".join(f"{lost * 1e4:.1f}, {right:.0%}" for lost, right in outcomes)
        print(f"| {search} | {rows:,} | {cells} |", flush=True)


def measure(setup: Setup, searches: int) -> np.ndarray:
    """Return the lost score and the share of right choices of each way."""
    rng = np.random.default_rng([setup.rows, setup.count, int(setup.gap * 1e4), int(setup.alike * 10)])
    true, holdout = run_search(setup, searches, rng)
    every = np.arange(searches)[:, None]
    finalists = np.argsort(-holdout, axis=1)[:, :FINALISTS]
    true, holdout = true[every, finalists], holdout[every, finalists]
    fresh = true + score_noise(setup, setup.fresh_rows, true.shape, rng)
    outcomes: list[tuple[float, float]] = []
    for way in WAYS:
        chosen = choose(way, holdout, fresh, setup).argmax(axis=1)
        lost = true.max(axis=1) - true[every[:, 0], chosen]
        outcomes.append((float(lost.mean()), float((lost == 0).mean())))
    return np.array(outcomes)


def choose(way: str, holdout: np.ndarray, fresh: np.ndarray, setup: Setup) -> np.ndarray:
    """Return the scores by which the finalists are ordered."""
    weights = setup.holdout_rows, setup.fresh_rows
    both = (weights[0] * holdout + weights[1] * fresh) / sum(weights)
    error = np.sqrt(sum(ACCURACY * (1 - ACCURACY) / rows for rows in weights))
    suspected = ((holdout - fresh) > TOO_GOOD * error).any(axis=1, keepdims=True)
    ways = {"holdout": holdout, "fresh": fresh, "both": both, "checked": np.where(suspected, fresh, both)}
    return ways[way]


def run_search(setup: Setup, searches: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the true scores of the scripts of each search, and their scores on its holdout."""
    shape = (searches, setup.count)
    steps, noise = rng.normal(0, setup.gap, shape), score_noise(setup, setup.holdout_rows, shape, rng)
    true = np.zeros(shape)
    every, best = np.arange(searches), np.zeros(searches, dtype=int)
    for number in range(setup.count):
        parent = true[every, best] if number and setup.search != "independent" else 0.0
        true[:, number] = parent + steps[:, number]
        better = true[:, number] + noise[:, number] > true[every, best] + noise[every, best]
        best = np.where(better, number, best)
    if setup.search == "copied":
        copier = rng.integers(0, setup.count, searches)
        true[every, copier] -= 0.05
        noise[every, copier] += rng.uniform(0.0, 0.3, searches) + 0.05
    return true, true + noise


def score_noise(setup: Setup, rows: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return how far scores on some rows are from the true ones: what all scripts share, their own, and training."""
    error = np.sqrt(ACCURACY * (1 - ACCURACY) / rows)
    shared = rng.normal(0, np.sqrt(setup.alike) * error, (shape[0], 1))
    own = rng.normal(0, np.sqrt(1 - setup.alike) * error, shape)
    return shared + own + rng.normal(0, RETRAINED * setup.gap, shape)


if __name__ == "__main__":
    main()
