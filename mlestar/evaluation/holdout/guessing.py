"""How well the labels of withheld rows can be guessed from kept rows that are near them in some order, or equal."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.task import Task

# The limits below were chosen by judgement; none was measured.
_WINDOWS = (1, 5)
"""Kept rows on each side by which a row is guessed, besides the root of their number."""
_MAX_CLASSES = 50
"""Classes up to which the most common class of a window is the guess; with more, that of the nearest row."""
_MIN_ROWS = 20
"""Withheld rows below which nothing can be concluded."""


@dataclass(frozen=True)
class Guess:
    """How good guesses are."""

    z: float
    """Standard errors above what guesses without information reach."""
    share: float
    """Of the information: 0 is that of no order at all, 1 is every label (for values a correlation of 1)."""


NOTHING = Guess(0.0, 0.0)


@dataclass(frozen=True)
class DividedLabels:
    """The labels of kept and of withheld rows, as class numbers or as ranks."""

    kept: np.ndarray
    withheld: np.ndarray
    are_classes: bool
    design: float = 1.0
    """Mean number of withheld rows that belong together, weighted by rows: they say no more than one row does."""

    @classmethod
    def of_task(cls, task: Task, train: np.ndarray, withheld: np.ndarray, units: np.ndarray) -> "DividedLabels":
        """Take the first target of a task."""
        cells = task.train.rows[task.spec.target[0]].str.strip()
        numbers = pd.to_numeric(cells, errors="coerce")
        are_classes = task.spec.problem != "regression" or bool(numbers.isna().mean() > 0.5)
        values = pd.factorize(cells)[0] if are_classes else numbers.rank().fillna(0).to_numpy()
        sizes = np.bincount(np.unique(units, return_inverse=True)[1]) if len(units) else np.ones(1)
        design = float((sizes**2).sum() / max(1, sizes.sum()))
        return cls(values[train], values[withheld], are_classes, design)

    def by_place(self, places: np.ndarray, order: np.ndarray | None = None) -> Guess:
        """Guess each withheld row by the kept rows around a place among them.

        Args:
            places: of the withheld rows, as positions among the kept rows.
            order: of the kept rows; None for that of the file.
        """
        kept = self.kept if order is None else self.kept[order]
        if len(self.withheld) < _MIN_ROWS or len(kept) < _MIN_ROWS:
            return NOTHING
        widths = {*_WINDOWS, int(np.sqrt(len(kept)))}
        guesses = (self._guess_window(kept, places, width) for width in sorted(widths))
        return max((self._judge(guess) for guess in guesses), key=lambda guess: guess.z)

    def by_group(self, kept: np.ndarray, withheld: np.ndarray) -> Guess:
        """Guess each withheld row by the kept rows of the same group; groups are numbers, -1 is none."""
        if len(self.withheld) < _MIN_ROWS:
            return NOTHING
        table = pd.DataFrame({"group": kept, "label": self.kept})
        table = table[table["group"] >= 0]
        if not len(table):
            return NOTHING
        if self.are_classes:
            counts = table.value_counts().reset_index().drop_duplicates("group")
            best = counts.set_index("group")["label"]
            fallback: float = float(np.bincount(self.kept).argmax())
        else:
            best, fallback = table.groupby("group")["label"].mean(), float(self.kept.mean())
        return self._judge(best.reindex(withheld).fillna(fallback).to_numpy())

    def _guess_window(self, kept: np.ndarray, places: np.ndarray, width: int) -> np.ndarray:
        first = np.clip(np.round(places).astype(int) - width, 0, len(kept) - 1)
        last = np.clip(first + 2 * width, 1, len(kept))
        if not self.are_classes:
            sums = np.r_[0.0, np.cumsum(kept)]
            return np.asarray((sums[last] - sums[first]) / (last - first))
        classes = int(kept.max()) + 1
        if width == 1 or classes > _MAX_CLASSES:
            return np.asarray(kept[np.clip(np.round(places).astype(int), 0, len(kept) - 1)], dtype=float)
        counts = np.zeros((len(kept) + 1, classes), dtype=np.int32)
        counts[1:] = np.cumsum(kept[:, None] == np.arange(classes), axis=0)
        return np.asarray((counts[last] - counts[first]).argmax(axis=1), dtype=float)

    def _judge(self, guesses: np.ndarray) -> Guess:
        rows = len(self.withheld)
        if not self.are_classes:
            if np.ptp(guesses) == 0 or np.ptp(self.withheld) == 0:
                return NOTHING
            correlation = float(np.corrcoef(guesses, self.withheld)[0, 1])
            return Guess(correlation * np.sqrt(rows / self.design), correlation)
        whole = guesses.astype(int)
        shares = np.bincount(self.withheld[self.withheld >= 0], minlength=max(int(whole.max()) + 1, 1)) / rows
        expected = float(shares[whole].sum())
        spread = np.sqrt(expected * (1 - expected / rows) * self.design)
        hits = float((whole == self.withheld).sum())
        if spread <= 0 or expected >= rows:
            return NOTHING
        return Guess((hits - expected) / max(spread, 1.0), (hits - expected) / (rows - expected))


def sorted_places(kept: np.ndarray, withheld: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each withheld value among the kept ones in their order, and this order."""
    order = np.argsort(kept, kind="stable")
    left = np.searchsorted(kept[order], withheld, side="left")
    right = np.searchsorted(kept[order], withheld, side="right")
    # Equal values are one position: they do not tell their rows apart.
    return (left + right) / 2, order


def secret_generator(task: Task, purpose: str) -> np.random.Generator:
    """Return random numbers that are the same for the same task, and that no script can draw again.

    The seed is made from all labels, so that who knows it knows the labels already.
    """
    cells = task.train.rows[list(task.spec.target)]
    digest = hashlib.sha256(purpose.encode())
    for column in cells:
        digest.update("\0".join(cells[column].tolist()).encode())
    return np.random.default_rng(int.from_bytes(digest.digest(), "big"))
