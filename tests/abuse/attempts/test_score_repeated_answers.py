"""A ranked answer names one class many times, or all of them, to be right more than once.

Outcome: prevented.
"""

import numpy as np
import pytest

from mlestar.metrics.lists import by_row_at, hit_of_row, ndcg_of_row, precision_of_row
from mlestar.metrics.scoring import ClassLabels

CLASSES = ClassLabels(("a", "b", "c", "d"))


@pytest.mark.parametrize("row_score", [precision_of_row, ndcg_of_row, hit_of_row])
@pytest.mark.parametrize("answer", ["b a a a a", "b b b a a a", "b, a, a"])
def test_a_repeated_class_counts_once(row_score: object, answer: str) -> None:
    assert callable(row_score)
    score = by_row_at(row_score)
    once, often = (np.array([cells], dtype=object) for cells in ("b a", answer))
    truth = np.array(["a"], dtype=object)
    assert score(truth, often, CLASSES, k=5) == score(truth, once, CLASSES, k=5)
    assert score(truth, np.array(["c d b a"], dtype=object), CLASSES, k=3) == 0
