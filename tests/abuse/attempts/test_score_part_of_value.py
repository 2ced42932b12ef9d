"""A part of a value is the label: its last digit, its parity, a blank, its length, its case or one word.

Outcome: succeeded; prevented since.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, learn, steal

RNG = np.random.default_rng(0)
WORDS = ["red", "blue", "old", "new", "round", "big"]
Part = tuple[Callable[[bool], str], Callable[[str], str]]
PARTS: dict[str, Part] = {
    "the last digit": (lambda cat: f"{RNG.random():.5f}{7 if cat else 2}", lambda cell: cell[-1]),
    "parity": (lambda cat: str(2 * RNG.integers(10**6) + cat), lambda cell: str(int(cell) % 2)),
    "a blank": (lambda cat: "5 " if cat else "5", lambda cell: cell),
    "length": (lambda cat: f"{RNG.integers(2**40):0{12 + cat}x}", lambda cell: str(len(cell))),
    "case": (lambda cat: f"{'Aq' if cat else 'qa'}{RNG.integers(10**9)}", lambda cell: cell[:2]),
    "one word": (
        lambda cat: " ".join(RNG.permutation([*WORDS, "warm" if cat else "cold"])),
        lambda cell: str("warm" in cell),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_values_are_looked_at(tmp_path: Path, name: str) -> None:
    make, part = PARTS[name]

    def write(folder: Path, rows: Rows) -> None:
        lines = [f"{row},{make(label == 'cat')}" for row, label in rows.pairs]
        (folder / "extra.csv").write_text("\n".join(["id,x", *lines, ""]))

    def read(folder: Path, ids: list[str]) -> dict[str, str]:
        cells = [line.split(",") for line in (folder / "extra.csv").read_text().split("\n")[1:-1]]
        return learn({row: part(cell) for row, cell in cells}, folder, ids)

    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
