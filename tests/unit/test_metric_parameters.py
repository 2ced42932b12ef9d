"""Metrics with parameters, extra columns or several labels in a cell agree with references and reject what is wrong."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from mlestar.errors import UserError
from mlestar.metrics import METRICS, get_metric
from mlestar.metrics.lists import holds_several_labels, labels_of, split_labels

RANDOM = np.random.default_rng(11)
ROWS = 150
TRUE, PREDICTED = RANDOM.gamma(2.0, size=ROWS), RANDOM.gamma(2.0, size=ROWS)
WEIGHTS = RANDOM.integers(0, 5, ROWS)
LABELS = np.array(["a", "b", "c"], dtype=object)[RANDOM.integers(0, 3, ROWS)]
GUESSES = np.where(RANDOM.random(ROWS) < 0.6, LABELS, "b").astype(object)
YES, SAID_YES = LABELS == "a", GUESSES == "a"
GRADES, GUESSED = RANDOM.integers(3, 9, ROWS), RANDOM.integers(3, 9, ROWS)


def weighted(name: str) -> float:
    metric = get_metric(f"{name}@w")
    return metric.score(TRUE, PREDICTED, extra=(WEIGHTS.astype(str).astype(object),))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("weighted_mae", sk.mean_absolute_error(TRUE, PREDICTED, sample_weight=WEIGHTS)),
        ("weighted_mse", sk.mean_squared_error(TRUE, PREDICTED, sample_weight=WEIGHTS)),
        ("weighted_rmse", sk.root_mean_squared_error(TRUE, PREDICTED, sample_weight=WEIGHTS)),
        ("weighted_rmsle", sk.root_mean_squared_log_error(TRUE, PREDICTED, sample_weight=WEIGHTS)),
    ],
)
def test_weighted_values(name: str, expected: float) -> None:
    assert weighted(name) == pytest.approx(expected)


def test_weighted_labels() -> None:
    score = get_metric("weighted_accuracy@w").score(LABELS, GUESSES, extra=(WEIGHTS.astype(object),))
    assert score == pytest.approx(sk.accuracy_score(LABELS, GUESSES, sample_weight=WEIGHTS))


@pytest.mark.parametrize("weights", [["1", "-1"], ["0", "0"], ["1", "x"]])
def test_weights_that_are_none_are_rejected(weights: list[str]) -> None:
    with pytest.raises(ValueError, match="weights must be numbers of at least 0"):
        get_metric("weighted_mae@w").score([1, 2], [1, 2], extra=(np.array(weights, dtype=object),))


@pytest.mark.parametrize("quantile", ["0.9", "90", "0.1"])
def test_pinball(quantile: str) -> None:
    alpha = float(quantile) if float(quantile) < 1 else float(quantile) / 100
    expected = sk.mean_pinball_loss(TRUE, PREDICTED, alpha=alpha)
    assert get_metric(f"pinball@{quantile}").score(TRUE, PREDICTED) == pytest.approx(expected)


@pytest.mark.parametrize("beta", [0.5, 2])
def test_f_beta(beta: float) -> None:
    expected = sk.fbeta_score(YES, SAID_YES, beta=beta)
    assert get_metric(f"F{beta}").score(LABELS, GUESSES, pos_label="a") == pytest.approx(expected)
    expected = sk.fbeta_score(LABELS.astype(str), GUESSES.astype(str), beta=beta, average="macro")
    assert get_metric(f"macro_f_beta@{beta}").score(LABELS, GUESSES) == pytest.approx(expected)


def test_kappas_and_jaccard() -> None:
    grades, guessed = GRADES.astype(str), GUESSED.astype(str)
    expected = sk.cohen_kappa_score(GRADES, GUESSED, weights="linear", labels=list(range(3, 9)))
    assert METRICS["linear_kappa"].score(grades, guessed) == pytest.approx(expected)
    assert METRICS["kappa"].score(LABELS, GUESSES) == pytest.approx(
        sk.cohen_kappa_score(LABELS.astype(str), GUESSES.astype(str))
    )
    expected = sk.jaccard_score(YES, SAID_YES)
    assert METRICS["jaccard"].score(LABELS, GUESSES, pos_label="a") == pytest.approx(expected)
    expected = sk.jaccard_score(LABELS.astype(str), GUESSES.astype(str), average="macro")
    assert METRICS["macro_jaccard"].score(LABELS, GUESSES) == pytest.approx(expected)
    assert METRICS["dice"].score(LABELS, GUESSES, pos_label="a") == pytest.approx(sk.f1_score(YES, SAID_YES))


def test_relative_errors() -> None:
    assert METRICS["wape"].score([1, 3], [2, 3]) == pytest.approx(0.25)
    assert METRICS["rmspe"].score([1, 2], [2, 2]) == pytest.approx(0.5**0.5)
    assert METRICS["msle"].score(TRUE, PREDICTED) == pytest.approx(sk.mean_squared_log_error(TRUE, PREDICTED))
    with pytest.raises(ValueError, match="a true value is zero"):
        METRICS["rmspe"].score([0, 1], [1, 1])
    two = np.column_stack([TRUE, TRUE]), np.column_stack([TRUE, PREDICTED])
    expected = sk.root_mean_squared_log_error(TRUE, PREDICTED) / 2
    assert METRICS["mcrmsle"].score(*two) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "truth", "predicted", "expected"),
    [
        ("map@3", ["a", "b", "c"], ["a b c", "a b c", "x y z"], (1 + 1 / 2) / 3),
        ("map@3", ["a b", "a b"], ["b a", "x a b"], (1 + (1 / 2 + 2 / 3) / 2) / 2),
        ("map@1", ["a"], ["b a"], 0.0),
        ("ndcg@2", ["a", "b"], ["a b", "a b"], (1 + 1 / np.log2(3)) / 2),
        ("top_k_accuracy@2", ["a", "b"], ["c a b", "c a b"], 0.5),
        ("row_f1", ["a b", "c"], ["a", "c d e"], (2 / 3 + 1 / 2) / 2),
        ("row_f1", ["a,b"], ["['b', 'a']"], 1.0),
        ("row_f_beta@2", ["a b"], ["a"], 5 / (4 * 2 + 1)),
        ("row_jaccard", ["a b", "c"], ["a", "c d e"], (1 / 2 + 1 / 3) / 2),
        ("list_micro_f1", ["a b", "c"], ["a", "c d e"], 2 * 2 / 7),
        ("list_macro_f1", ["a b", "a"], ["a", "a"], (1 + 0) / 2),
        ("word_jaccard", ["So very Sad"], ["very sad"], 2 / 3),
    ],
)
def test_several_labels_in_a_cell(name: str, truth: list[str], predicted: list[str], expected: float) -> None:
    assert get_metric(name).score(truth, predicted) == pytest.approx(expected)


def test_labels_with_blanks_are_separated_by_commas() -> None:
    truth, predicted = ["New York", "Bonn"], ["Bonn, New York", "Bonn"]
    assert get_metric("map@3").score(truth, predicted, classes=("Bonn", "New York")) == pytest.approx(0.75)


def test_a_column_for_each_guess_is_one_list() -> None:
    predicted = np.array([["a", "b"], ["c", "d"]], dtype=object)
    assert get_metric("map@2").score(["b", "c"], predicted) == pytest.approx(0.75)


def test_top_k_of_probabilities() -> None:
    shares = RANDOM.dirichlet([1, 1, 1], ROWS)
    expected = sk.top_k_accuracy_score(LABELS.astype(str), shares, k=2, labels=["a", "b", "c"])
    score = get_metric("top_k_probability@2").score(LABELS, shares, classes=("a", "b", "c"))
    assert score == pytest.approx(expected)


def test_equal_probabilities_count_against_the_row() -> None:
    assert get_metric("top_k_probability@2").score(["a"], np.ones((1, 3)) / 3, classes=("a", "b", "c")) == 0


def harrell(times: np.ndarray, events: np.ndarray, risk: np.ndarray) -> float:
    """Return the concordance index by its definition, pair by pair."""
    pairs = concordant = 0.0
    for i in range(len(times)):
        for j in range(len(times)):
            if events[i] and (times[i] < times[j] or (times[i] == times[j] and not events[j])):
                pairs += 1
                concordant += float(risk[i] > risk[j]) + 0.5 * float(risk[i] == risk[j])
    return concordant / pairs


@pytest.mark.parametrize("seed", range(4))
def test_the_concordance_index_counts_pairs_with_ties(seed: int) -> None:
    draw = np.random.default_rng(seed)
    times, events, risk = draw.integers(1, 15, 60), draw.integers(0, 2, 60), draw.integers(0, 10, 60)
    truth = np.column_stack([times, events]).astype(float)
    assert METRICS["c_index"].score(truth, risk) == pytest.approx(harrell(times, events, risk))
    assert METRICS["c_index_of_times"].score(truth, -risk) == pytest.approx(harrell(times, events, risk))


def test_the_concordance_index_needs_events() -> None:
    with pytest.raises(ValueError, match="no two rows can be compared"):
        METRICS["c_index"].score(np.array([[1.0, 0], [2.0, 0]]), [1, 2])
    with pytest.raises(ValueError, match="the second true column must be the event"):
        METRICS["c_index"].score(np.array([[1.0, 3], [2.0, 0]]), [1, 2])


def test_queries_are_ranked_one_by_one() -> None:
    truth, predicted = RANDOM.integers(0, 4, 40).astype(float), RANDOM.normal(size=40)
    query = np.repeat(["p", "q", "r", "s"], 10).astype(object)
    gains = (2.0**truth - 1).reshape(4, 10)
    expected = np.mean([sk.ndcg_score([gains[i]], [predicted.reshape(4, 10)[i]], k=5) for i in range(4)])
    assert get_metric("query_ndcg@5,q").score(truth, predicted, extra=(query,)) == pytest.approx(expected)
    hits = (truth > 0).reshape(4, 10)
    expected = np.mean([sk.average_precision_score(hits[i], predicted.reshape(4, 10)[i]) for i in range(4)])
    assert get_metric("query_map@10,q").score(hits.ravel().astype(float), predicted, extra=(query,)) == pytest.approx(
        expected
    )


def test_equal_predictions_of_a_query_are_in_the_worst_order() -> None:
    query = np.array(["q", "q"], dtype=object)
    score = get_metric("query_ndcg@1,q").score([1, 0], [5, 5], extra=(query,))
    assert score == 0


def test_scaled_errors_are_in_units_of_the_naive_forecast() -> None:
    known = pd.DataFrame(
        {
            "day": ["2", "1", "3", "1", "2"],
            "store": ["a", "a", "a", "b", "b"],
            "y": ["3", "1", "2", "0", "10"],
        }
    )
    rows = pd.DataFrame({"day": ["4", "3", "4"], "store": ["a", "b", "b"], "y": ["2", "10", "10"]})
    mase, rmsse = get_metric("mase@day,store"), get_metric("rmsse@day,store")
    # Steps of store a in order of the days: 1 to 3, 3 to 2; of store b: 0 to 10.
    extra = mase.extra(known, rows, "y")
    assert mase.score([2, 10, 10], [5, 10, 5], extra=extra) == pytest.approx((3 / 1.5 + (0 + 0.5) / 2) / 2)
    extra = rmsse.extra(known, rows, "y")
    expected = ((9 / 2.5) ** 0.5 + ((0 + 0.25) / 2) ** 0.5) / 2
    assert rmsse.score([2, 10, 10], [5, 10, 5], extra=extra) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pinball", "metric 'pinball': it needs a quantile, as in pinball@0.9"),
        ("pinball@x", "'x' is not a quantile between 0 and 1"),
        ("map@0", "not a whole number of at least 1"),
        ("map@1.5", "'1.5' is not a whole number"),
        ("rmse@3", "metric 'rmse': it takes no parameter"),
        ("weighted_mae", "it needs the column of the weights, as in weighted_mae@weight"),
        ("query_ndcg@5", "no column of the query"),
        ("f_beta@-1", "'-1' is not a beta above 0"),
    ],
)
def test_a_wrong_parameter_is_rejected_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        get_metric(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("F2", "f_beta@2"),
        ("f0.5-score", "f_beta@0.5"),
        ("MAP@3", "map@3"),
        ("mean average precision at k@5", "map@5"),
        ("top-5 accuracy", "top_k_accuracy@5"),
        ("Quantile loss@0.25", "pinball@0.25"),
        ("wmae@w", "weighted_mae@w"),
        ("F1", "f1"),
    ],
)
def test_parameters_follow_every_spelling_of_a_name(name: str, expected: str) -> None:
    assert get_metric(name).name == expected


def test_a_metric_without_its_parameter_does_not_score() -> None:
    with pytest.raises(ValueError, match=r"pinball needs a quantile, as in pinball@0\.9"):
        METRICS["pinball"].score([1, 2], [1, 2])


def test_cells_are_split_into_labels() -> None:
    assert split_labels("b a  b") == ("b", "a")
    assert split_labels("['x', '3.0']") == ("x", "3")
    assert labels_of(["New York", "Bonn"], one_label=True) == ("New York", "Bonn")
    assert labels_of(["red blue", "red", "blue"]) == ("red", "blue")
    assert holds_several_labels(["a,b", "a", "b,c", "c", "a,c"])
    assert not holds_several_labels(["a", "b", "c"])
