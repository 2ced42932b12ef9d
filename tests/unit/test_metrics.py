"""Metrics agree with scikit-learn, have a direction and reject what is undefined."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.datasets import load_iris

from mlestar.agents.script import reported_score
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import Grader, infer_split, search_holdout, stage
from mlestar.metrics import METRICS, Formula, Metric, canonical, canonical_labels, get_metric, register_metric
from mlestar.metrics.scoring import Array, ClassLabels
from mlestar.metrics.spec import sign
from mlestar.metrics.wording import find_metrics
from tests.unit.offline_context import brief_of, candidate, mixed_rows, run, write_task

RANDOM = np.random.default_rng(7)
LABELS = np.array(["a", "b", "c"], dtype=object)[RANDOM.integers(0, 3, 200)]
GUESSES = np.where(RANDOM.random(200) < 0.6, LABELS, "b")
TRUE, PREDICTED = RANDOM.gamma(2.0, size=200), RANDOM.gamma(2.0, size=200)
GRADES, GUESSED = RANDOM.integers(3, 9, 200), RANDOM.integers(3, 9, 200)
YES = LABELS == "a"
PROBABILITY = np.clip(0.5 * YES + RANDOM.random(200) * 0.5, 0, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", sk.accuracy_score(LABELS, GUESSES)),
        ("balanced_accuracy", sk.balanced_accuracy_score(LABELS, GUESSES)),
        ("macro_f1", sk.f1_score(LABELS, GUESSES, average="macro")),
        ("micro_f1", sk.f1_score(LABELS, GUESSES, average="micro")),
        ("weighted_f1", sk.f1_score(LABELS, GUESSES, average="weighted")),
        ("mcc", sk.matthews_corrcoef(LABELS, GUESSES)),
        ("f1", sk.f1_score(YES, GUESSES == "a")),
    ],
)
def test_label_metrics(name: str, expected: float) -> None:
    assert METRICS[name].score(LABELS, GUESSES, pos_label="a") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rmse", sk.root_mean_squared_error(TRUE, PREDICTED)),
        ("mse", sk.mean_squared_error(TRUE, PREDICTED)),
        ("mae", sk.mean_absolute_error(TRUE, PREDICTED)),
        ("medae", sk.median_absolute_error(TRUE, PREDICTED)),
        ("mape", sk.mean_absolute_percentage_error(TRUE, PREDICTED)),
        ("rmsle", sk.root_mean_squared_log_error(TRUE, PREDICTED)),
        ("r2", sk.r2_score(TRUE, PREDICTED)),
        ("pearson", np.corrcoef(TRUE, PREDICTED)[0, 1]),
    ],
)
def test_value_metrics(name: str, expected: float) -> None:
    assert METRICS[name].score(TRUE, PREDICTED) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("auroc", sk.roc_auc_score(YES, PROBABILITY)),
        ("average_precision", sk.average_precision_score(YES, PROBABILITY)),
        ("log_loss", sk.log_loss(YES, PROBABILITY)),
        ("brier", sk.brier_score_loss(YES, PROBABILITY)),
    ],
)
def test_probability_metrics_of_two_classes(name: str, expected: float) -> None:
    truth = np.where(YES, "yes", "no").astype(object)
    assert METRICS[name].score(truth, PROBABILITY, pos_label="yes") == pytest.approx(expected)


def test_multiclass_probabilities_follow_the_order_of_the_classes() -> None:
    truth = load_iris().target
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], len(truth))
    labels, classes = truth.astype(str).astype(object), ("2", "0", "1")
    turned = shares[:, [2, 0, 1]]
    assert METRICS["log_loss"].score(labels, turned, classes=classes) == pytest.approx(sk.log_loss(truth, shares))
    expected = sk.roc_auc_score(truth, shares, multi_class="ovr")
    assert METRICS["auroc"].score(labels, turned, classes=classes) == pytest.approx(expected)


def test_class_probabilities_are_rescaled() -> None:
    truth = np.array(["a", "b"], dtype=object)
    score = METRICS["log_loss"].score(truth, np.array([[2.0, 2.0], [1.0, 3.0]]), classes=("a", "b"))
    assert score == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)


def test_kappa_of_integer_grades() -> None:
    expected = sk.cohen_kappa_score(GRADES, GUESSED, weights="quadratic", labels=list(range(3, 9)))
    assert METRICS["qwk"].score(GRADES.astype(str), GUESSED.astype(str)) == pytest.approx(expected)


def test_kappa_of_named_grades_follows_their_order() -> None:
    names = np.array(["low", "mid", "high"], dtype=object)
    score = METRICS["qwk"].score(names[[0, 1, 2, 2]], names[[0, 1, 2, 1]], classes=("low", "mid", "high"))
    assert score == pytest.approx(sk.cohen_kappa_score([0, 1, 2, 2], [0, 1, 2, 1], weights="quadratic"))


@pytest.mark.parametrize("name", ["kappa", "qwk", "linear_kappa"])
def test_the_kappa_of_a_constant_is_zero_without_rounding_errors(name: str) -> None:
    drawn = [np.random.default_rng(seed).integers(1, 7, 100).astype(str) for seed in range(50)]
    assert {METRICS[name].score(truth, np.full(100, "4")) for truth in drawn} == {0.0}


def test_spearman_depends_only_on_ranks() -> None:
    assert METRICS["spearman"].score(TRUE, np.exp(TRUE)) == pytest.approx(1.0)


def test_smape_is_a_fraction_and_two_zeros_agree() -> None:
    assert METRICS["smape"].score([0, 1, 2], [0, 1, 0]) == pytest.approx(2 / 3)


def test_several_targets_are_averaged() -> None:
    truth, predicted = np.column_stack([TRUE, TRUE]), np.column_stack([TRUE, PREDICTED])
    expected = sk.root_mean_squared_error(TRUE, PREDICTED) / 2
    assert METRICS["mcrmse"].score(truth, predicted) == pytest.approx(expected)
    assert METRICS["rmse"].score(truth, predicted) == pytest.approx(expected)


def test_several_binary_targets_are_averaged() -> None:
    truth = np.column_stack([YES, ~YES]).astype(int).astype(str).astype(object)
    score = METRICS["mean_auroc"].score(truth, np.column_stack([PROBABILITY, PROBABILITY]))
    assert score == pytest.approx(0.5)


def test_texts_match_but_for_blanks_around_them() -> None:
    assert METRICS["exact_match"].score(["a ", "B", "NA"], ["a", "b", "NA"]) == pytest.approx(2 / 3)


def test_word_error_rate_counts_edits_over_all_words() -> None:
    assert METRICS["word_error_rate"].score(["the cat sat", "a b"], ["the dog sat down", "b"]) == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("name", "truth", "predicted", "reason"),
    [
        ("auroc", ["yes", "yes"], [0.1, 0.2], "single class"),
        ("rmsle", [1, 2], [1, -2], "prediction 2 is -2"),
        ("r2", [1, 1], [1, 2], "all true values are equal"),
        ("pearson", [1, 2], [1, 1], "all predictions are equal"),
        ("qwk", ["1", "1"], ["1", "1"], "one and the same grade"),
        ("rmse", [1, 2], [1, np.nan], "not a finite number"),
        ("rmse", [1, 2], [1], "1 predictions for 2 rows"),
        ("rmse", [], [], "0 predictions for 0 rows"),
        ("word_error_rate", [""], ["a"], "no words"),
    ],
)
def test_what_is_undefined_is_rejected_with_a_reason(
    name: str, truth: list[object], predicted: list[object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        METRICS[name].score(truth, predicted, pos_label="yes")


def test_a_binary_metric_needs_the_positive_label() -> None:
    with pytest.raises(ValueError, match="set pos_label"):
        METRICS["f1"].score(["a", "b"], ["a", "b"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AUC", "auroc"),
        ("roc_auc", "auroc"),
        ("Area under the ROC curve", "auroc"),
        ("neg_mean_absolute_error", "mae"),
        ("Root-Mean-Squared-Error", "rmse"),
        ("R²", "r2"),
        ("F1 macro", "macro_f1"),
        ("quadratic weighted kappa", "qwk"),
        ("WER", "word_error_rate"),
    ],
)
def test_metrics_are_found_by_their_aliases(name: str, expected: str) -> None:
    assert get_metric(name).name == expected


def test_a_better_score_is_greater_once_signed() -> None:
    assert sign(METRICS["accuracy"].direction) * 0.9 > sign(METRICS["accuracy"].direction) * 0.8
    assert sign(METRICS["rmse"].direction) * 1.0 > sign(METRICS["rmse"].direction) * 2.0


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.parameter is None])
def test_every_metric_is_found_by_its_own_name(name: str) -> None:
    assert get_metric(name) is METRICS[name]
    assert find_metrics(f"Scored by {name.replace('_', ' ')}.")[0].metric == name


@pytest.mark.parametrize("example", [metric.parameter.example for metric in METRICS.values() if metric.parameter])
def test_every_metric_with_a_parameter_is_found_by_its_example(example: str) -> None:
    assert get_metric(example).name == example
    assert find_metrics(f"Scored by {example}.")[0].metric == example


def test_the_page_on_metrics_names_every_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    missing = [name for name in METRICS if not re.search(rf"`{name}[`@]", page)]
    assert missing == []


def test_an_unknown_metric_is_rejected_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown metric 'acuracy'; the nearest are accuracy"):
        get_metric("acuracy")


def test_a_function_of_a_file_is_a_metric(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def worst(truth, predicted):\n    return abs(truth - predicted).max()\n")
    metric = get_metric("own.py:worst", tmp_path, direction="minimize")
    assert metric.score([1, 2], [1, 5]) == 3
    assert metric.direction == "minimize"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own.py:missing", "has no function 'missing'"),
        ("../own.py:f", "not a file inside"),
        ("broken.py:f", "not valid Python: .*line 1"),
        ("computed.py:f", "no function 'f': write it at the top level as def f"),
        ("direction.py:f", 'direction must be one of .*, written out, as in direction = "maximize"'),
    ],
)
def test_a_function_that_cannot_be_read_is_reported(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("")
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "computed.py").write_text("f = max\n")
    (tmp_path / "direction.py").write_text("direction = 'mini' + 'mize'\ndef f(truth, predicted): return 1\n")
    with pytest.raises(UserError, match=message):
        get_metric(name, tmp_path, direction="minimize")


def test_a_metric_file_is_not_executed_before_it_scores(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        f"with open({str(tmp_path / 'executed')!r}, 'w'): pass\ndef f(truth, predicted): return 1\n"
    )
    metric = get_metric("own.py:f", tmp_path, direction="minimize")
    assert not (tmp_path / "executed").exists()
    assert metric.score([1.0], [1.0]) == 1
    assert (tmp_path / "executed").exists()


def test_a_metric_file_that_cannot_be_imported_is_reported_when_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("1 / 0\ndef f(truth, predicted): return 1\n")
    load = get_metric("own.py:f", tmp_path, direction="minimize").load
    assert load is not None
    with pytest.raises(UserError, match="cannot be imported: ZeroDivisionError"):
        load()


def test_a_metric_file_may_state_direction_and_kind(tmp_path: Path) -> None:
    lines = ["direction = 'maximize'", "prediction_kind: str = 'label'", "def f(truth, predicted, rows): return 1"]
    (tmp_path / "own.py").write_text("\n".join(lines))
    metric = get_metric("own.py:f", tmp_path)
    assert (metric.direction, metric.kind, metric.extra_function is not None) == ("maximize", "label", True)


@pytest.mark.parametrize("score", ["float('nan')", "float('inf')", "'0.5'", "None", "10**400", "[1, 2]"])
def test_what_is_no_finite_number_is_no_score(score: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(f"def f(truth, predicted): return {score}\n")
    with pytest.raises(ValueError, match=r"f returned .*, which is no finite number"):
        get_metric("own.py:f", tmp_path, direction="minimize").score([1.0], [1.0])


def test_a_users_metric_needs_a_direction(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def f(truth, predicted): return 1\n")
    with pytest.raises(UserError, match="needs a direction"):
        get_metric("own.py:f", tmp_path)


def test_an_error_in_a_users_function_is_the_reason() -> None:
    metric = Metric.from_callable(lambda truth, predicted: 1 / 0, "minimize", "value", name="mine")
    with pytest.raises(ValueError, match="mine failed: ZeroDivisionError"):
        metric.score([1], [1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 3.0 ", "3"),
        ("+3", "3"),
        ("-0", "0"),
        ("1e3", "1e3"),
        ("007", "007"),
        ("9007199254740993.0", "9007199254740993"),
        ("3.5", "3.5"),
        ("TRUE", "True"),
        ("Yes", "Yes"),
        ("nan", "nan"),
        ("1_0", "1_0"),
        ("1e999", "1e999"),
    ],
)
def test_equal_labels_have_one_spelling(text: str, expected: str) -> None:
    assert canonical(text) == expected
    assert canonical_labels([text, "x"]).tolist() == [expected, "x"]


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Submissions are evaluated on RMSE, not on MAE.", "rmse"),
        ("We do not use accuracy; the metric is the macro-averaged F1-score.", "macro_f1"),
        ("Accuracy of the sensors is high.\n## Evaluation\nMAE of temperature", "mae"),
        ("Log loss is a fine loss.\n\nMetric\n\n**Quadratic Weighted Kappa**, unlike accuracy", "qwk"),
        ("The score is the average of the individual AUCs of each column.", "mean_auroc"),
        ("Root-Mean-Squared-Error (RMSE) between the logarithm of prediction and price", "rmsle"),
        ("Root mean squared error of the logarithms", "rmsle"),
        ("Accuracy would be misleading, so we score by balanced accuracy.", "balanced_accuracy"),
        ("Share of tokens whose form equals the true one exactly", "exact_match"),
        ("Ranked by Spearman's rank correlation", "spearman"),
        ("The metric is R².", "r2"),
        ("## Evaluation: word error rate", "word_error_rate"),
    ],
)
def test_the_metric_of_a_description_is_found(description: str, expected: str) -> None:
    assert find_metrics(description)[0].metric == expected


def test_a_description_without_metric_has_none() -> None:
    assert find_metrics("Predict the price of houses. No other data may be used.") == []


def pinball(truth: Array, predicted: Array, labels: ClassLabels) -> float:
    return float(np.mean(np.maximum(0.9 * (truth - predicted), 0.1 * (predicted - truth))))


PINBALL = Metric(
    "pinball_90",
    "minimize",
    "value",
    pinball,
    aliases=("mean pinball loss at 0.9",),
    absolute=True,
    formula=Formula("float(np.mean(np.maximum(0.9 * (y - decided), 0.1 * (decided - y))))"),
)


@pytest.fixture
def registered() -> Iterator[None]:
    register_metric(PINBALL)
    yield
    del METRICS[PINBALL.name]


@pytest.mark.usefixtures("registered")
def test_a_metric_from_outside_is_one_row(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows().drop(columns="label"), "number", "")
    (folder / "task.toml").unlink()
    (folder / "task.md").write_text("Predict `number`; submissions are scored by the mean pinball loss at 0.9.")
    task = Task.load(folder)
    assert (task.spec.metric, task.spec.direction, task.spec.problem) == ("pinball_90", "minimize", "regression")
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "input")
    script = candidate(brief_of(folder))
    assert PINBALL.formula.expression in script
    printed = run(script, tmp_path / "input", tmp_path / "work")
    grade = Grader(task, holdout).grade(tmp_path / "work" / "submission.csv")
    assert grade.score == pytest.approx(reported_score(printed), rel=0.5)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("metric", [PINBALL, Metric("other", "minimize", "value", pinball, aliases=("RMSE",))])
def test_a_metric_whose_name_is_taken_is_refused(metric: Metric) -> None:
    with pytest.raises(UserError, match="already names"):
        register_metric(metric)
