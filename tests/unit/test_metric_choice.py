"""The metric of a task folder: its parameter from the description and the columns, a default, or one line that asks."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.script import reported_score
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.evaluation import Grader, check_submission, infer_split, search_holdout, stage
from tests.unit.offline_context import brief_of, candidate, run

ROWS, TEST_ROWS = 240, 80


def rows(seed: int = 0) -> pd.DataFrame:
    """Rows with two features and a value that depends on both."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": np.arange(ROWS), "a": draw.normal(size=ROWS), "b": draw.choice(list("xyz"), ROWS)})
    return frame.assign(value=(5 + 2 * frame["a"] + (frame["b"] == "x") + 0.2 * draw.normal(size=ROWS)).round(4))


def write(
    folder: Path, frame: pd.DataFrame, hidden: list[str], description: str, sample: Mapping[str, str | float] | None
) -> Path:
    """Write a task whose test lacks the hidden columns; `sample` are columns of the sample submission."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = frame.iloc[:-TEST_ROWS], frame.iloc[-TEST_ROWS:]
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=hidden).to_csv(folder / "test.csv", index=False)
    if sample is not None:
        test[["id"]].assign(**sample).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.md").write_text(description, encoding="utf-8")
    return folder


def thirds(frame: pd.DataFrame) -> pd.Series:
    return pd.qcut(frame["value"], 3, labels=["low", "mid", "high"]).astype(str)


def ranked(folder: Path) -> Path:
    frame = rows().assign(y=thirds).drop(columns="value")
    return write(folder, frame, ["y"], "Scored by MAP@2 of up to two classes `y`.", {"y": "low mid"})


def tagged(folder: Path) -> Path:
    frame = rows()
    tags = np.where(frame["a"] > 0, "warm ", "") + np.where(frame["b"] == "x", "wet ", "") + thirds(frame)
    frame = frame.assign(y=tags).drop(columns="value")
    return write(folder, frame, ["y"], "Predict the tags `y`. Scored by the mean F1 over rows.", {"y": "low"})


def quantile(folder: Path) -> Path:
    return write(folder, rows(), ["value"], "Scored by the pinball loss at quantile 0.8.", {"value": 0})


def survival(folder: Path) -> Path:
    draw = np.random.default_rng(1)
    frame = rows().assign(death=draw.integers(0, 2, ROWS), days=lambda frame: np.exp(frame["value"]).round(2))
    text = "Survival data (`days`, `death`); predict a risk. Scored by the concordance index."
    return write(folder, frame.drop(columns="value"), ["death", "days"], text, {"risk": 0.0})


def weighted(folder: Path) -> Path:
    frame = rows().assign(weight=np.random.default_rng(2).integers(1, 9, ROWS))
    return write(folder, frame, ["value", "weight"], "Scored by the weighted MAE.", {"value": 0})


CASES: dict[str, tuple[Callable[[Path], Path], str, str, float]] = {
    "ranked": (ranked, "map@2", "multiclass", 0.75),
    "tagged": (tagged, "row_f1", "multilabel", 0.7),
    "quantile": (quantile, "pinball@0.8", "regression", -0.5),
    "survival": (survival, "c_index", "regression", 0.7),
    "weighted": (weighted, "weighted_mae@weight", "regression", -0.9),
}
"""How the folder is written, the metric, the problem, and a score to beat, its sign turned for losses."""


@pytest.mark.parametrize("case", CASES)
def test_a_described_metric_is_computed_from_the_folder_to_the_grade(case: str, tmp_path: Path) -> None:
    make, metric, problem, bar = CASES[case]
    folder = make(tmp_path / "task")
    task = Task.load(folder)
    assert (task.spec.metric, task.spec.problem) == (metric, problem)
    holdout = search_holdout(task, infer_split(task), seed=0)
    stage(task, holdout, tmp_path / "input")
    script = candidate(brief_of(folder))
    printed = reported_score(run(script, tmp_path / "input", tmp_path / "work"))
    grade = Grader(task, holdout).grade(tmp_path / "work" / "submission.csv")
    assert grade.score is not None, grade.problem
    factor = 1 if task.spec.direction == "maximize" else -1
    assert factor * grade.score > bar
    assert printed == pytest.approx(grade.score, rel=0.5)
    assert grade.standard_error
    run(script, folder, tmp_path / "real")
    assert check_submission(task, tmp_path / "real" / "submission.csv") == ""


def test_resamples_keep_weights_beside_their_rows(tmp_path: Path) -> None:
    """Rows of weight 0 are the only wrong ones, so that every resample scores 0."""
    frame = rows().assign(weight=lambda frame: frame["id"] % 2)
    task = Task.load(write(tmp_path / "task", frame, ["value", "weight"], "Weighted MAE", {"value": 0}))
    holdout = search_holdout(task, infer_split(task), seed=0)
    withheld = frame.iloc[holdout.withheld]
    wrong = withheld.assign(value=withheld["value"] + (withheld["weight"] == 0))
    wrong[["id", "value"]].to_csv(tmp_path / "submission.csv", index=False)
    grade = Grader(task, holdout).grade(tmp_path / "submission.csv")
    assert grade.score == pytest.approx(0)
    assert grade.standard_error == pytest.approx(0)


def test_a_scaled_error_takes_its_scale_from_the_rows_that_are_not_withheld(tmp_path: Path) -> None:
    frame = rows().assign(day=lambda frame: frame["id"] // 2, shop=lambda frame: frame["id"] % 2)
    folder = write(tmp_path / "task", frame, ["value"], "MASE", {"value": 0})
    (folder / "task.toml").write_text('metric = "mase@day,shop"\n')
    task = Task.load(folder)
    holdout = search_holdout(task, infer_split(task), seed=0)
    withheld, known = frame.iloc[holdout.withheld], frame.iloc[holdout.train]
    withheld.assign(value=withheld["value"] + 1)[["id", "value"]].to_csv(tmp_path / "s.csv", index=False)
    grade = Grader(task, holdout).grade(tmp_path / "s.csv")
    steps = known.sort_values("day").groupby("shop")["value"].apply(lambda values: values.diff().abs().mean())
    assert grade.score == pytest.approx((1 / steps).mean())


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("Scored by the pinball loss.", "asks for pinball, but does not say clearly a quantile: set metric"),
        ("Scored by the weighted MAE.", "does not say clearly the column of the weights: set metric"),
        ("Scored by MASE.", "the column of time and, where there are several series"),
        ("Scored by normalised RMSE.", "asks for 'normalised RMSE', which mlestar does not have: .*metric.py:function"),
        ("## Metric\nOur own index of 2019.", "says 'Our own index of 2019.': set metric"),
    ],
)
def test_what_is_not_clear_is_asked_for_in_one_line(description: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        Task.load(write(tmp_path, rows(), ["value"], description, {"value": 0}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('metric = "weighted_mae@nothing"', "train has no column 'nothing'"),
        ('metric = "weighted_mae@b"', "the weight 'b' of row 1 of train is '[xyz]', not a number"),
        ('metric = "c_index"', "c_index needs two target columns, the time and the event"),
    ],
)
def test_columns_that_do_not_suit_the_metric_are_refused(toml: str, message: str, tmp_path: Path) -> None:
    folder = write(tmp_path, rows(), ["value"], "", {"value": 0})
    (folder / "task.toml").write_text(toml)
    with pytest.raises(TaskError, match=message):
        Task.load(folder)


def test_a_weight_is_a_column_that_the_description_calls_so(tmp_path: Path) -> None:
    frame = rows().assign(mass=1)
    text = "Scored by MAE, weighted by the column `mass`."
    assert Task.load(write(tmp_path, frame, ["value"], text, {"value": 0})).spec.metric == "weighted_mae@mass"


def test_a_feature_called_weight_is_no_weight(tmp_path: Path) -> None:
    frame = rows().assign(weight=70)
    with pytest.raises(TaskError, match="the column of the weights"):
        Task.load(write(tmp_path, frame, ["value"], "Weighted MAE", {"value": 0}))


YES = (rows()["value"] > 5).map({True: "yes", False: "no"})
TAGS = np.where(rows()["a"] > 0, "warm,wet", np.where(rows()["b"] == "x", "wet", "warm"))
DEFAULTS: dict[str, tuple[pd.Series | np.ndarray, Mapping[str, str | float] | None, str]] = {
    "numbers": (rows()["value"], {"y": 0}, "rmse"),
    "two classes": ((YES == "yes").astype(int), {"y": 0.5}, "auroc"),
    "two classes, labels": (YES, {"y": "no"}, "accuracy"),
    "two classes, no sample": (YES, None, "auroc"),
    "several classes, no sample": (thirds(rows()), None, "log_loss"),
    "several classes, labels": (thirds(rows()), {"y": "low"}, "accuracy"),
    "several classes, probabilities": (thirds(rows()), {"low": 0.3, "mid": 0.3, "high": 0.4}, "log_loss"),
    "several labels in a cell": (np.where(rows()["a"] > 1, "cold", TAGS), {"y": "warm"}, "row_f1"),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_without_a_named_metric_there_is_a_default_that_is_reported(case: str, tmp_path: Path) -> None:
    target, sample, metric = DEFAULTS[case]
    frame = rows().drop(columns="value").assign(y=target)
    task = Task.load(write(tmp_path, frame, ["y"], "Predict `y`.", sample))
    assert task.spec.metric == metric
    why = "(a default: the description names none; set metric if it is another)"
    assert f"metric: {metric}, {task.spec.direction} {why}" in task.notes


def test_free_texts_have_no_default(tmp_path: Path) -> None:
    frame = rows().drop(columns="value").assign(y=[f"text {number}" for number in range(ROWS)])
    with pytest.raises(TaskError, match="names no metric, and the target has no usual one: name it"):
        Task.load(write(tmp_path, frame, ["y"], "Predict `y`.", {"y": ""}))


def test_accuracy_of_changed_texts_needs_no_known_labels(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    words = ["".join(draw.choice(list("abcdefgh"), 6)) for _ in range(ROWS)]
    frame = pd.DataFrame({"id": np.arange(ROWS), "written": [f"{word}x" for word in words], "word": words})
    folder = write(tmp_path / "task", frame, ["word"], "Predict the `word`. Metric: accuracy.", {"word": words[0]})
    assert Task.load(folder).spec.metric == "exact_match"
    classes = frame.assign(written=draw.permutation(frame["written"]))
    folder = write(tmp_path / "other", classes, ["word"], "Predict the `word`. Metric: accuracy.", {"word": words[0]})
    assert Task.load(folder).spec.metric == "accuracy"


def test_relevance_is_ranked_within_the_query(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    frame = rows().drop(columns="value").assign(query_id=np.arange(ROWS) // 10, grade=draw.integers(0, 4, ROWS))
    task = Task.load(write(tmp_path, frame, ["grade"], "Scored by NDCG@5.", {"grade": 0}))
    assert (task.spec.metric, task.metric.extra_columns) == ("query_ndcg@5,query_id", ("query_id",))


def test_top_k_follows_the_columns_of_the_submission(tmp_path: Path) -> None:
    frame = rows().assign(y=thirds(rows())).drop(columns="value")
    classes = dict.fromkeys(("low", "mid", "high"), 0.3)
    lists = Task.load(write(tmp_path / "lists", frame, ["y"], "Top-2 accuracy", {"y": "low mid"}))
    shares = Task.load(write(tmp_path / "shares", frame, ["y"], "Top-2 accuracy", classes))
    assert (lists.spec.metric, lists.spec.prediction_kind) == ("top_k_accuracy@2", "text")
    assert (shares.spec.metric, shares.spec.prediction_kind) == ("top_k_probability@2", "probability")


@pytest.mark.parametrize(("name", "metric"), [("risk", "c_index"), ("predicted_time", "c_index_of_times")])
def test_a_predicted_time_is_no_risk(name: str, metric: str, tmp_path: Path) -> None:
    frame = rows().assign(event=lambda frame: frame["id"] % 2).rename(columns={"value": "time"})
    task = Task.load(write(tmp_path, frame, ["time", "event"], "Concordance index", {name: 0.0}))
    assert (task.spec.metric, task.spec.target) == (metric, ("time", "event"))
    assert task.spec.prediction_columns == (name,)


def test_strata_that_the_index_does_not_treat_are_reported(tmp_path: Path) -> None:
    frame = rows().assign(event=lambda frame: frame["id"] % 2).rename(columns={"value": "time"})
    task = Task.load(write(tmp_path, frame, ["time", "event"], "Stratified concordance index", {"risk": 0.0}))
    assert any("over all rows, although the description speaks of strata" in note for note in task.notes)


def test_survivors_of_a_shipwreck_are_no_survival_data(tmp_path: Path) -> None:
    frame = rows().assign(survived=lambda frame: (frame["value"] > 5).astype(int)).drop(columns="value")
    task = Task.load(write(tmp_path, frame, ["survived"], "Predict survival. Accuracy.", {"survived": 0}))
    assert (task.spec.metric, task.spec.target) == ("accuracy", ("survived",))


def test_an_overlap_of_masks_is_refused(tmp_path: Path) -> None:
    frame = rows().drop(columns="value").assign(mask="1 3 10 5")
    with pytest.raises(TaskError, match="asks for 'Dice coefficient of masks', which mlestar does not have"):
        Task.load(write(tmp_path, frame, ["mask"], "Dice coefficient of run-length encoded masks", {"mask": ""}))


def test_a_function_may_use_all_columns_of_the_rows(tmp_path: Path) -> None:
    frame = rows()
    folder = write(tmp_path / "task", frame, ["value"], "", {"value": 0})
    (folder / "own.py").write_text(
        "import numpy as np\n\n\ndef score(truth, predicted, rows):\n"
        "    return np.average(abs(truth - predicted), weights=(rows['b'] == 'x'))\n"
    )
    (folder / "task.toml").write_text('metric = "own.py:score"\ndirection = "minimize"\n')
    task = Task.load(folder)
    holdout = search_holdout(task, infer_split(task), seed=0)
    withheld = frame.iloc[holdout.withheld]
    wrong = withheld.assign(value=withheld["value"] + np.where(withheld["b"] == "x", 2, 7))
    wrong[["id", "value"]].to_csv(tmp_path / "s.csv", index=False)
    grade = Grader(task, holdout).grade(tmp_path / "s.csv")
    assert grade.score == pytest.approx(2)
    assert grade.standard_error == pytest.approx(0)


def test_agents_are_told_what_a_cell_must_hold(tmp_path: Path) -> None:
    form = brief_of(ranked(tmp_path)).prediction_form
    assert form.startswith("the 2 labels that fit best, the likeliest first")
