"""A script keeps the labels in other symbols or units, or thousands of packed numbers.

Outcome: succeeded; prevented since.
"""

import numpy as np
import pytest

from mlestar.agents.memorizing import find_memorizing
from tests.unit.test_memorizing import BITS, PRICES, TASKS, WORDS

PACKED = np.random.default_rng(0).integers(0, 100_000, 8000).tolist()
SCRIPTS = {
    "other symbols": ("bits by number", f"known = {''.join('ab'[int(bit)] for bit in BITS)!r}"),
    "numbers of words": ("words by number", f"known = {[int(word[6:]) for word in WORDS]!r}"),
    "cents": ("prices by number", f"known = {[round(float(price) * 100) for price in PRICES]!r}"),
    "logarithms": ("prices by number", f"known = {[float(np.log(float(price))) for price in PRICES]!r}"),
    "packed numbers": ("bits by number", f"known = {PACKED!r}"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_labels_in_another_code_are_recognised(name: str) -> None:
    task, code = SCRIPTS[name]
    assert find_memorizing(code, TASKS[task]) is not None


@pytest.mark.parametrize("code", [f"sizes = {list(range(0, 90_000, 9))!r}", f"grid = {[n / 9 for n in range(600)]!r}"])
def test_regular_lists_are_no_labels(code: str) -> None:
    assert all(find_memorizing(code, rows) is None for rows in TASKS.values())
