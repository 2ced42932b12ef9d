"""Wins, ties and losses of one tool against another, by the paired standard error on the rows of the answers.

A difference is a tie where it is at most one paired standard error: the deviation of the difference over resamples of
the rows, which are the same for both submissions. So about a third of the tasks are no ties where two tools are equally
good; on average, as many of these are wins as losses.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mlestar.bench.pairs import Pair, pair_rows
from mlestar.bench.rows import BenchRow
from mlestar.metrics.precision import round_score


@dataclass(frozen=True)
class Standings:
    """How a tool stands against another, task by task and seed by seed."""

    wins: tuple[Pair, ...]
    ties: tuple[Pair, ...]
    losses: tuple[Pair, ...]

    @property
    def summary(self) -> str:
        return f"{len(self.wins)} wins, {len(self.ties)} ties, {len(self.losses)} losses"


def verdict(pair: Pair) -> int:
    """Return 1 where the second of a pair wins, -1 where it loses, 0 for a tie; a missing score loses."""
    if pair.difference is None:
        return round(pair.advantage)
    if abs(pair.difference) <= pair.row_error:
        return 0
    return 1 if pair.difference > 0 else -1


def standings(first: Iterable[BenchRow], second: Iterable[BenchRow]) -> Standings:
    """Return how the second of two sets of rows stands against the first, on the tasks and seeds of both."""
    pairs = pair_rows(first, second).found
    wins, ties, losses = (tuple(pair for pair in pairs if verdict(pair) == side) for side in (1, 0, -1))
    return Standings(wins, ties, losses)


def describe(found: Standings) -> list[str]:
    """Return a line of the counts, and one for each task that is lost, then won, the largest difference first."""
    lines = [found.summary]
    for title, pairs in (("lost", found.losses), ("won", found.wins)):
        for pair in sorted(pairs, key=lambda pair: -_errors(pair)):
            lines.append(f"  {title} {pair.task}, seed {pair.seed}: {_describe(pair)}")
    return lines


def _errors(pair: Pair) -> float:
    """Return the size of a difference in errors; a missing score is beyond all."""
    if pair.difference is None or not pair.row_error:
        return float("inf")
    return abs(pair.difference) / pair.row_error


def _describe(pair: Pair) -> str:
    if pair.difference is None:
        return "one of the two has no score"
    return (
        f"{round_score(pair.difference, pair.row_error or None):+g} ± {pair.row_error:.2g} ({_errors(pair):.1f} errors)"
    )
