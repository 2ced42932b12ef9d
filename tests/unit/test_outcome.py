"""Predictions beside the truth: what is counted for values, labels and probabilities."""

from pathlib import Path

import numpy as np
import pytest

from mlestar.evaluation.outcome import MOST_CLASSES, MOST_POINTS, OTHER, NotShownError, compare_with_truth
from tests.unit.withheld import answers, submit


def test_values_are_pairs_of_prediction_and_truth(tmp_path: Path) -> None:
    truth = np.arange(5.0)
    known = answers("rmse", truth)
    found = compare_with_truth(known, submit(tmp_path, np.asarray(truth + 0.5)))
    assert found.kind == "values"
    assert found.points == tuple((number + 0.5, number) for number in range(5))


def test_many_values_are_drawn_from(tmp_path: Path) -> None:
    truth = np.arange(2000.0)
    known = answers("rmse", truth)
    found = compare_with_truth(known, submit(tmp_path, np.asarray(truth)))
    assert (found.rows, len(found.points)) == (2000, MOST_POINTS)


def test_labels_are_counted_by_true_and_predicted_class(tmp_path: Path) -> None:
    known = answers("accuracy", np.array(["a", "a", "b"], dtype=object))
    found = compare_with_truth(known, submit(tmp_path, np.asarray(["a", "b", "b"])))
    assert found.classes == ("a", "b")
    assert found.counts == ((1, 1), (0, 1))


def test_rare_classes_share_one_row(tmp_path: Path) -> None:
    truth = np.array([str(number) for number in range(MOST_CLASSES + 3) for _ in range(20 - number)], dtype=object)
    known = answers("accuracy", truth)
    found = compare_with_truth(known, submit(tmp_path, np.asarray(list(truth))))
    assert found.classes[-1] == OTHER
    assert len(found.classes) == MOST_CLASSES + 1
    assert (
        sum(map(sum, found.counts))
        == len(truth)
        == sum(found.counts[place][place] for place in range(len(found.classes)))
    )


def test_probabilities_are_compared_with_how_often_the_event_came_true(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = rng.random(4000)
    truth = np.where(rng.random(4000) < shares, "1", "0").astype(object)
    known = answers("brier", truth)
    found = compare_with_truth(known, submit(tmp_path, np.asarray(shares)))
    assert len(found.bins) == 10
    assert all(abs(group.predicted - group.true) < 4 * group.error for group in found.bins)
    turned = compare_with_truth(known, submit(tmp_path, np.asarray(1 - shares)))
    assert any(abs(group.predicted - group.true) > 4 * group.error for group in turned.bins)


def test_scores_that_are_no_probabilities_are_not_shown(tmp_path: Path) -> None:
    known = answers("auroc", np.array(["1", "0"], dtype=object))
    with pytest.raises(NotShownError, match="not a probability"):
        compare_with_truth(known, submit(tmp_path, np.asarray([3.0, -1.0])))
