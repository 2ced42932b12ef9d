"""The constant and the simple model that are graded beside the winner."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.baselines import NoBaselineError, find_constant, write_constant, write_simple_model
from mlestar.data.task import Task
from mlestar.errors import StoreError
from mlestar.evaluation import Grader, divide_rows, infer_split, stage
from mlestar.report import Result
from mlestar.report.result import BaselineRow
from mlestar.runners import Execution, Job, ScriptedRunner
from mlestar.settings import Settings
from mlestar.state import NO_TRACK
from tests.unit.scenario import SMALL, Scenario, resume, signs, solve

ROWS = 400
WORDS = ("river", "stone", "cloud", "green", "paper", "night", "table", "seven")


def make_frame() -> pd.DataFrame:
    """Return numbers, categories and texts, with a value that follows from them and noise."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.arange(ROWS), "size": rng.normal(size=ROWS).round(3)})
    frame["kind"] = rng.choice(["oak", "elm", "ash"], ROWS)
    good = rng.random(ROWS) < 0.5
    notes = [" ".join([*rng.choice(WORDS, 6), "fine" if one else "poor"]) for one in good]
    frame["note"] = notes
    frame["value"] = 2 * frame["size"] + frame["kind"].map({"oak": 1.0, "elm": 0.0, "ash": -1.0}) + 2 * good
    frame["value"] += rng.normal(size=ROWS) * 0.3
    return frame


def make_grader(folder: Path, target: pd.Series, metric: str, prediction: str | float, spec: str = "") -> Grader:
    """Return the grader of a task with this target; its input is staged in `folder/input`."""
    frame = make_frame().drop(columns="value").assign(target=target.to_numpy())
    task = folder / "task"
    task.mkdir()
    (task / "task.md").write_text(f"# Wood\n\n## Evaluation\n{metric}\n", encoding="utf-8")
    (task / "task.toml").write_text(f'split = "random"\n{spec}', encoding="utf-8")
    frame.iloc[:300].to_csv(task / "train.csv", index=False)
    frame.iloc[300:].drop(columns="target").to_csv(task / "test.csv", index=False)
    frame.iloc[300:][["id"]].assign(target=prediction).to_csv(task / "sample_submission.csv", index=False)
    read = Task.load(task)
    division = divide_rows(read, infer_split(read), seed=0, fresh_share=0)
    stage(read, division.search, folder / "input")
    return Grader(read, division.search)


def score_simple(grader: Grader, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Run the simple model on the staged input and return its score."""
    task = grader.task
    model = write_simple_model(task.spec, task.statistics, task.metric, seed=0)
    (folder / "simple.py").write_text(model.script, encoding="utf-8")
    monkeypatch.chdir(folder)
    runpy.run_path(str(folder / "simple.py"))
    grade = grader.grade(folder / "submission.csv")
    assert grade.score is not None, grade.problem
    return grade.score


def score_constant(grader: Grader, folder: Path) -> float:
    lenient = replace(grader, accepts_sample=True)
    constant = find_constant(grader.task, grader.form.metric, grader.holdout)
    (folder / "constant.csv").write_text(write_constant(lenient.form, constant), encoding="utf-8")
    grade = lenient.grade(folder / "constant.csv")
    assert grade.score is not None, grade.problem
    return grade.score


def test_the_simple_model_predicts_values_from_numbers_categories_and_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grader = make_grader(tmp_path, make_frame()["value"], "Root mean squared error.", 0)
    assert score_simple(grader, tmp_path, monkeypatch) < 0.8
    assert 1.5 < score_constant(grader, tmp_path) < 3


def test_a_logarithmic_metric_is_fitted_on_logarithms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grader = make_grader(tmp_path, np.exp(make_frame()["value"]), "Root mean squared logarithmic error.", 0)
    assert score_simple(grader, tmp_path, monkeypatch) < 0.6
    constant = find_constant(grader.task, grader.form.metric, grader.holdout)
    assert constant.how == "mean of logarithms of train"


def test_the_simple_model_predicts_probabilities_and_a_constant_is_worth_nothing_for_a_ranking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_frame()["value"].gt(1).map({True: "yes", False: "no"})
    grader = make_grader(tmp_path, target, "ROC AUC.", 0.5)
    assert score_simple(grader, tmp_path, monkeypatch) > 0.9
    assert score_constant(grader, tmp_path) == 0.5


def test_the_simple_model_predicts_labels_of_several_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = pd.cut(make_frame()["value"], [-99, 0, 2, 99], labels=["low", "middle", "high"]).astype(str)
    grader = make_grader(tmp_path, target, "Accuracy.", "low")
    assert score_simple(grader, tmp_path, monkeypatch) > 0.7
    assert score_constant(grader, tmp_path) < 0.5


def test_a_constant_that_equals_the_sample_submission_is_graded(tmp_path: Path) -> None:
    target = make_frame()["value"].gt(-1).map({True: "yes", False: "no"})
    assert score_constant(make_grader(tmp_path, target, "Accuracy.", "yes"), tmp_path) > 0.6


def test_the_best_constant_of_a_label_metric_is_not_always_the_most_common_label(tmp_path: Path) -> None:
    target = make_frame()["value"].gt(2).map({True: "yes", False: "no"})
    grader = make_grader(tmp_path, target, "F1 score.", "no", 'pos_label = "yes"\n')
    constant = find_constant(grader.task, grader.form.metric, grader.holdout)
    assert constant.cells == ("yes",)


def test_pictures_have_no_simple_model(tmp_path: Path) -> None:
    task = make_grader(tmp_path, make_frame()["value"], "Root mean squared error.", 0).task
    spec = task.spec.model_copy(update={"modality": "image"})
    with pytest.raises(NoBaselineError, match="image"):
        write_simple_model(spec, task.statistics, task.metric, seed=0)


def rows_of(result: Result) -> dict[str, BaselineRow]:
    return {row.name: row for row in result.baselines}


async def test_a_run_grades_both_on_the_rows_of_the_winner_without_a_model_call(tmp_path: Path) -> None:
    without, scenario = Scenario(), Scenario()
    plain = await solve(tmp_path / "without", without)
    result = await solve(tmp_path / "with", scenario, baselines=True)
    rows = rows_of(result)
    assert rows["simple"].holdout == pytest.approx(0.55, abs=0.01)
    assert rows["simple"].fresh == pytest.approx(0.55, abs=0.01)
    assert 0.3 < (rows["constant"].fresh or 0) < 0.7
    assert scenario.count() == without.count()
    assert result.spend.executions == plain.spend.executions + 2
    assert (result.winner, result.score) == (plain.winner, plain.score)
    assert plain.baselines == ()


async def test_a_winner_that_is_clearly_better_causes_no_warning(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(), baselines=True)
    gain = rows_of(result)["simple"].winner_gain
    assert gain == pytest.approx((result.score.fresh or 0) - 0.55, abs=0.02)
    assert result.baseline_warning == ""


async def test_a_winner_that_is_no_better_than_the_simple_model_is_named(tmp_path: Path) -> None:
    scenario = Scenario(jobs={"simple-holdout": "0.9", "simple-fresh1": "0.9"})
    result = await solve(tmp_path, scenario, baselines=True)
    assert "not better than the simple model" in result.baseline_warning
    assert result.baseline_warning in Path(result.report or "").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("gain", "warning"),
    [
        (0.21, ""),
        (0.19, "The winner is not better than the simple model beyond noise: by 0.19 ± 0.10 on the same rows."),
        (-0.19, "The winner is not better than the simple model beyond noise: by -0.19 ± 0.10 on the same rows."),
        (-0.21, "The simple model is better than the winner: by 0.21 ± 0.10 on the same rows."),
    ],
)
def test_the_warning_says_which_is_better(gain: float, warning: str) -> None:
    row = BaselineRow(name="simple", winner_gain=gain, winner_gain_se=0.1)
    result = Result(run_id="r", task="t", status="solved", folder="r", baselines=(row,))
    assert result.baseline_warning == warning


async def test_a_simple_model_that_fails_is_a_row_with_the_reason(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(jobs={"simple-holdout": "broken"}), baselines=True)
    row = rows_of(result)["simple"]
    assert (result.status, row.holdout) == ("solved", None)
    assert "KeyError" in row.message
    assert row.fresh is not None


@pytest.mark.parametrize("cap", [1, 2, 4, 6, 9, 12])
async def test_a_low_cap_is_kept_and_something_is_submitted(tmp_path: Path, cap: int) -> None:
    result = await solve(tmp_path, Scenario(), baselines=True, max_executions=cap)
    assert result.spend.executions <= cap
    # One execution is needed for a score, and one for a submission.
    assert (result.status == "solved") is (cap > 1)
    missing = [row for row in result.baselines if row.name == "simple" and row.holdout is None]
    assert all("budget" in row.message for row in missing)


async def test_a_run_that_ends_during_the_baselines_repeats_nothing(tmp_path: Path) -> None:
    scenario = Scenario()

    def interrupt(job: Job) -> Execution:
        if job.name == "simple-fresh1":
            msg = "the disk is full"
            raise StoreError(msg)
        return scenario.run(job)

    settings = Settings.resolve({**SMALL, "runs_dir": tmp_path / "runs", "model_backoff": 0, "baselines": True})
    with pytest.raises(StoreError):
        await start(scenario, settings, ScriptedRunner(interrupt))
    before = list(scenario.ran)
    result = await resume(tmp_path, scenario)
    assert result.status == "solved"
    assert scenario.ran[len(before) :] == ["simple-fresh1", f"{result.winner}-export"]
    assert {row.name for row in result.baselines if row.fresh is not None} == {"constant", "simple"}


async def start(scenario: Scenario, settings: Settings, runner: ScriptedRunner) -> Result:
    return await mlestar.asolve(signs(), settings=settings, run_id="run", model=scenario.model(), runner=runner)


async def test_a_result_of_a_version_without_baselines_can_be_read(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario())
    path = tmp_path / "runs" / "run" / "result.json"
    text = path.read_text(encoding="utf-8").replace('"baselines"', '"removed"')
    older = tmp_path / "result.json"
    older.write_text(text.replace('"submissions"', '"left_out"'), encoding="utf-8")
    read = Result.read(older)
    assert (read.winner, read.score, read.baselines) == (result.winner, result.score, ())


async def test_executions_of_baselines_belong_to_no_track(tmp_path: Path) -> None:
    scenario = Scenario()
    await solve(tmp_path, scenario, baselines=True)
    assert {"simple-holdout", "simple-fresh1"} <= set(scenario.of(NO_TRACK))
