"""The constant and the simple model that are graded beside the winner."""

import io
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import mlestar
from mlestar.baselines import (
    Constant,
    NoBaselineError,
    find_constant,
    find_final_constant,
    write_constant,
    write_constant_script,
    write_simple_model,
)
from mlestar.cli.console import show_result
from mlestar.data.task import Task
from mlestar.errors import StoreError
from mlestar.evaluation import Grader, divide_rows, infer_split, stage
from mlestar.report import Result
from mlestar.report.baselines import BaselineRow
from mlestar.runners import Execution, Job, ScriptedRunner
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, Export
from tests.unit.scenario import SMALL, Scenario, failure, fence, resume, script, signs, solve

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


@pytest.mark.parametrize("sample", [True, False])
def test_the_script_of_a_constant_writes_it_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sample: bool
) -> None:
    grader = make_grader(tmp_path, make_frame()["value"], "Root mean squared error.", 0)
    spec = grader.task.spec if sample else grader.task.spec.model_copy(update={"sample_submission": None})
    constant = find_final_constant(grader.task, grader.form.metric)
    (tmp_path / "constant.py").write_text(write_constant_script(spec, constant), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(tmp_path / "constant.py"))
    written = pd.read_csv(tmp_path / "submission.csv")
    assert list(written.columns) == ["id", "target"]
    assert written["target"].tolist() == pytest.approx([constant.cells[0]] * grader.form.rows)
    assert grader.grade(tmp_path / "submission.csv").score is not None


def test_the_script_of_a_constant_reads_names_with_other_delimiters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_grader(tmp_path, make_frame()["value"], "Root mean squared error.", 0).task.spec
    spec = spec.model_copy(update={"prediction_columns": ("size; height; width",)})
    (tmp_path / "input" / "sample_submission.csv").write_text('id,"size; height; width"\n7,0\n', encoding="utf-8")
    constant = Constant("the mean", (1.5,))
    (tmp_path / "constant.py").write_text(write_constant_script(spec, constant), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(tmp_path / "constant.py"))
    assert pd.read_csv(tmp_path / "submission.csv").to_dict("list") == {"id": [7], "size; height; width": [1.5]}


def test_no_script_writes_a_constant_for_rows_in_other_files(tmp_path: Path) -> None:
    task = make_grader(tmp_path, make_frame()["value"], "Root mean squared error.", 0).task
    spec = task.spec.model_copy(update={"sample_submission": None, "test": "test"})
    with pytest.raises(NoBaselineError, match="no script writes a constant"):
        write_constant_script(spec, find_final_constant(task, task.metric))


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


@pytest.mark.parametrize(
    ("gain", "exported", "warning"),
    [
        (-0.19, ("simple",), "No script of the run was better than a baseline (simple: a linear model), so "),
        (0.19, ("simple",), "In place of the scripts of the run a baseline (simple: a linear model) was chosen."),
        (0.19, ("t0.c1", "simple"), "No script of the run could be submitted, so a baseline (simple: a linear model)"),
        (None, ("simple",), "No script of the run could be submitted, so a baseline (simple: a linear model)"),
    ],
)
def test_the_warning_says_why_a_baseline_was_submitted(
    gain: float | None, exported: tuple[str, ...], warning: str
) -> None:
    row = BaselineRow(name="simple", how="a linear model", winner_gain=gain, winner_gain_se=0.1)
    exports = tuple(Export(solution=name) for name in exported)
    result = Result(
        run_id="r", task="t", status="baseline", winner="simple", folder="r", baselines=(row,), exports=exports
    )
    assert result.baseline_warning.startswith(warning)


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


async def interrupt(scenario: Scenario, folder: Path, at: str) -> list[str]:
    """Run until a job that finds a full disk; return the names of the jobs before it."""

    def run_until(job: Job) -> Execution:
        if job.name == at:
            msg = "the disk is full"
            raise StoreError(msg)
        return scenario.run(job)

    settings = Settings.resolve({**SMALL, "runs_dir": folder / "runs", "model_backoff": 0, "baselines": True})
    with pytest.raises(StoreError):
        await start(scenario, settings, ScriptedRunner(run_until))
    return list(scenario.ran)


async def test_a_run_that_ends_during_the_baselines_repeats_nothing(tmp_path: Path) -> None:
    scenario = Scenario()
    before = await interrupt(scenario, tmp_path, "simple-fresh1")
    result = await resume(tmp_path, scenario)
    assert result.status == "solved"
    assert scenario.ran[len(before) :] == ["simple-fresh1", f"{result.winner}-export"]
    assert {row.name for row in result.baselines if row.fresh is not None} == {"constant", "simple"}


BETTER = {"simple-holdout": "0.99", "simple-fresh1": "0.99", "simple-export": "0.99"}
"""Executions of a simple model that is better than every script of a scenario."""


async def test_a_simple_model_that_is_better_than_the_winner_is_what_is_submitted(tmp_path: Path) -> None:
    plain, scenario = Scenario(), Scenario(jobs=BETTER)
    await solve(tmp_path / "without", plain)
    result = await solve(tmp_path, scenario, baselines=True)
    assert (result.status, result.winner, scenario.ran[-1]) == ("baseline", "simple", "simple-export")
    assert result.score.fresh == pytest.approx(0.99, abs=0.02)
    assert "HistGradientBoosting" in Path(result.solution or "").read_text(encoding="utf-8")
    assert Path(result.submission or "").is_file()
    row = rows_of(result)["simple"]
    assert (row.winner_gain or 0) < 0
    assert row.compared == "t0.r1.2"
    assert "No script of the run was better than a baseline" in result.baseline_warning
    assert result.baseline_warning in result.summary.message
    assert result.baseline_warning in Path(result.report or "").read_text(encoding="utf-8")
    origins = {solution.id: solution.origin for solution in result.solutions}
    assert origins["simple"] == "baseline"
    assert "constant" not in origins
    assert scenario.count() == plain.count()
    assert not any("0.99" in prompt for prompts in scenario.prompts.values() for prompt in prompts)


async def test_a_simple_model_that_is_better_within_an_error_is_not_submitted(tmp_path: Path) -> None:
    jobs = {"simple-holdout": "0.99", "simple-fresh1": "1.0", "simple-fresh2": "0.86"}
    result = await solve(tmp_path, Scenario(jobs=jobs), baselines=True, fresh_splits=2)
    row = rows_of(result)["simple"]
    assert -(row.winner_gain_se or 0) < (row.winner_gain or 0) < 0
    assert (result.status, result.winner) == ("solved", "t0.r1.2")
    assert "simple" not in {solution.id for solution in result.solutions}


async def test_a_better_simple_model_has_no_subsampling_to_remove(tmp_path: Path) -> None:
    scenario = Scenario(jobs=BETTER)
    result = await solve(tmp_path, scenario, baselines=True, subsample_rows=100)
    assert result.winner == "simple"
    assert scenario.count()["subsampling_extractor"] == 0


async def test_a_run_in_which_no_script_worked_submits_the_simple_model(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script("broken")), debugger=fence(script("broken")))
    result = await solve(tmp_path, scenario, baselines=True)
    assert (result.status, result.winner) == ("baseline", "simple")
    assert rows_of(result)["simple"].winner_gain is None
    assert "No script of the run could be submitted, so a baseline (simple: " in result.baseline_warning
    assert Path(result.submission or "").is_file()
    console = Console(file=io.StringIO(), width=200)
    show_result(console, result)
    assert result.baseline_warning in console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    ran = list(scenario.ran)
    assert (await resume(tmp_path, scenario)).winner == "simple"
    assert scenario.ran == ran


async def test_a_run_in_which_nothing_worked_submits_the_constant(tmp_path: Path) -> None:
    broken = fence(script("broken"))
    scenario = Scenario(initializer=broken, debugger=broken, jobs={"simple-holdout": "broken"})
    result = await solve(tmp_path, scenario, baselines=True)
    assert (result.status, result.winner, scenario.ran[-1]) == ("baseline", "constant", "constant-export")


class FailingExports(Scenario):
    """Runs in which no script of an agent works on all rows."""

    def run(self, job: Job) -> Execution:
        execution = super().run(job)
        return failure("broken") if job.name.endswith("-export") and job.name[0] == "t" else execution


async def test_the_simple_model_is_submitted_where_every_other_export_fails(tmp_path: Path) -> None:
    scenario = FailingExports()
    result = await solve(tmp_path, scenario, baselines=True)
    assert (result.status, result.winner) == ("baseline", "simple")
    assert result.exports[0].solution == "t0.r1.2"
    assert "No script of the run could be submitted" in result.baseline_warning


async def test_a_run_that_lost_its_state_and_stops_again_reports_the_baseline_that_it_submitted(tmp_path: Path) -> None:
    scenario = Scenario(jobs=BETTER)
    before = await solve(tmp_path, scenario, baselines=True)
    folder = Path(before.folder)
    for path in (folder / "result.json", *folder.glob("checkpoints.sqlite*")):
        path.unlink()

    def stop(event: mlestar.Event) -> None:
        msg = "the disk is full"
        raise StoreError(msg)

    with pytest.raises(StoreError):
        await resume(tmp_path, scenario, on_event=stop)
    after = Result.read(folder / "result.json")
    assert (after.status, after.winner, after.solution) == ("stopped", "simple", before.solution)


async def test_the_next_best_is_submitted_where_the_export_of_the_simple_model_fails(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(jobs={**BETTER, "simple-export": "broken"}), baselines=True)
    assert (result.status, result.winner) == ("solved", "t0.r1.2")
    assert [export.solution for export in result.exports] == ["simple", "t0.r1.2"]


async def test_a_simple_model_that_the_budget_does_not_allow_changes_nothing(tmp_path: Path) -> None:
    scenario = Scenario(jobs=BETTER)
    result = await solve(tmp_path, scenario, baselines=True, max_executions=4)
    assert (result.status, [job for job in scenario.ran if job.startswith("simple")]) == ("solved", [])


async def test_a_run_that_ends_before_the_simple_model_is_exported_repeats_nothing(tmp_path: Path) -> None:
    scenario = Scenario(jobs=BETTER)
    before = await interrupt(scenario, tmp_path, "simple-export")
    result = await resume(tmp_path, scenario)
    assert (result.status, result.winner) == ("baseline", "simple")
    assert scenario.ran[len(before) :] == ["simple-export"]


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
