"""Intervals and sets of a run: in its result, its report and the terminal, and for new rows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from mlestar.cli.console import show_result
from mlestar.errors import UserError
from mlestar.evaluation.uncertainty.conformal import Scale
from mlestar.evaluation.uncertainty.record import LEVELS, LevelCheck, TargetUncertainty, Uncertainty
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.coverage import check_coverage, limits_of, submission_with_coverage, with_coverage
from mlestar.predictor.predictions import Predictions
from mlestar.report import Result
from mlestar.runners import Execution, Job, Runner, RunnerOptions
from tests.unit.command_line import call
from tests.unit.scenario import Scenario, solve, success
from tests.unit.scenario import make_task as make_signs

NOISE = 2.0


class Numbers(Scenario):
    """A scenario whose scripts predict the column `x`, or the probability that it makes a `yes` likely."""

    def run(self, job: Job) -> Execution:
        test, sample = (pd.read_csv(job.input / name) for name in ("test.csv", "sample_submission.csv"))
        target = sample.columns[-1]
        predicted = test["x"] if target == "y" else 1 / (1 + np.exp(-test["x"]))
        sample.assign(**{target: predicted}).to_csv(job.collect / "submission.csv", index=False)
        return success(("submission.csv",), "Final Validation Performance: 0.5\n")


def make_runner(options: RunnerOptions) -> Runner:
    """Return the runner that `--runner tests.unit.test_predict_coverage:make_runner` names."""
    return Numbers().runner()


def write_task(folder: Path, target: str, metric: str) -> Path:
    """Write a task with a number or two classes as target."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"id": range(500), "x": (3 * draw.normal(size=500)).round(4)})
    if target == "y":
        frame["y"] = (frame["x"] + NOISE * draw.normal(size=500)).round(4)
    else:
        frame[target] = np.where(draw.random(500) < 1 / (1 + np.exp(-frame["x"])), "yes", "no")
    test = frame[400:].drop(columns=target)
    folder.mkdir()
    frame[:400].to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(**{target: 0.5}).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f'metric = "{metric}"\nsplit = "random"\n', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("numbers")
    return asyncio.run(solve(folder, Numbers(), task=write_task(folder / "task", "y", "mae"), retrieved_models=1))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("classes")
    return asyncio.run(solve(folder, Numbers(), task=write_task(folder / "task", "set", "log_loss"), fresh_splits=0))


def rows_of(result: Result) -> pd.DataFrame:
    return pd.read_csv(Path(result.folder).parents[1] / "task" / "test.csv")


def test_a_run_knows_its_intervals_and_what_fresh_rows_they_cover(numbers: Result) -> None:
    record = numbers.uncertainty
    assert record is not None
    assert (record.kind, record.scale, record.units, record.blind) == ("interval", "value", "rows", False)
    assert record.fresh_rows >= 19
    quantile = record.targets[0].quantiles[record.place(0.8)] or 0.0
    assert quantile == pytest.approx(1.28 * NOISE, rel=0.25)
    check = record.check_of(0.8)[0]
    assert check.width == pytest.approx(2 * quantile)
    assert check.coverage == pytest.approx(0.8, abs=4 * (check.coverage_se or 0))
    assert Result.read(Path(numbers.folder) / "result.json").uncertainty == record


def test_terminal_and_report_show_coverage_and_width(numbers: Result, classes: Result) -> None:
    for result, title, name in ((numbers, "Prediction intervals", "intervals"), (classes, "Prediction sets", "sets")):
        page = Path(result.report or "").read_text(encoding="utf-8")
        assert f"<h2>{title}</h2>" in page
        console = Console(width=200, record=True, quiet=False, file=None)
        with console.capture() as printed:
            show_result(console, result)
        assert f" {name} " in printed.get()
        assert result.uncertainty is not None
        assert result.uncertainty.summary in " ".join(printed.get().split())
    assert "no fresh rows checked the coverage" in page


async def test_new_rows_get_intervals_of_any_coverage(numbers: Result) -> None:
    rows, notes = rows_of(numbers), list[str]()
    predictor = numbers.predictor(runner=Numbers().runner(), on_note=notes.append)
    table = await predictor.apredict_interval(rows, coverage=0.9)
    assert list(table.columns) == ["y", "lower", "upper"]
    assert numbers.uncertainty is not None
    quantile = numbers.uncertainty.targets[0].quantiles[numbers.uncertainty.place(0.9)] or 0.0
    np.testing.assert_allclose(table["upper"] - table["y"], quantile)
    np.testing.assert_allclose(table["y"] - table["lower"], quantile)
    assert list(predictor.predict_interval(rows[:3]).columns) == ["y", "lower", "upper"]
    with pytest.raises(UserError, match="predictions of run run have intervals: use predict_interval"):
        predictor.predict_set(rows)
    with pytest.raises(UserError, match=r"run run: a coverage of 0\.3 is not between 0\.5 and 0\.99"):
        predictor.predict_interval(rows, coverage=0.3)


async def test_new_rows_get_sets_of_labels_as_train_spells_them(classes: Result) -> None:
    notes = list[str]()
    rows = pd.DataFrame({"x": [-9.0, 0.01, 9.0]}, index=["a", "b", "c"])
    predictor = classes.predictor(runner=Numbers().runner(), on_note=notes.append)
    table = await predictor.apredict_set(rows)
    # The target has the name of the further column.
    assert table["set"].tolist() == ["no", "yes", "yes"]
    assert table["set_set"].tolist() == [("no",), ("yes", "no"), ("yes",)]
    assert list(table.index) == ["a", "b", "c"]
    assert any(note.startswith("no fresh rows checked the coverage") for note in notes)


def test_the_command_adds_columns(numbers: Result, classes: Result, tmp_path: Path) -> None:
    tables = []
    for result in (numbers, classes):
        folder, out = Path(result.folder), tmp_path / "out.csv"
        common = ("--runs-dir", folder.parent, "--runner", "tests.unit.test_predict_coverage:make_runner")
        done = call("predict", "run", folder.parents[1] / "task/test.csv", "-o", out, "--coverage", "0.95", *common)
        assert done.exit_code == 0, done.output
        tables.append(pd.read_csv(out))
        refused = call("predict", "run", folder.parents[1] / "task/test.csv", "-o", out, "--coverage", "1", *common)
        assert (refused.exit_code, "a coverage of 1 is not between" in refused.output) == (2, True), refused.output
    assert list(tables[0].columns) == ["id", "y", "lower", "upper"]
    assert ((tables[0]["lower"] < tables[0]["y"]) & (tables[0]["y"] < tables[0]["upper"])).all()
    assert list(tables[1].columns) == ["id", "set", "set_set"]
    assert set(map(tuple, map(json.loads, tables[1]["set_set"]))) <= {("no",), ("yes",), ("no", "yes"), ("yes", "no")}


class Wrong(Numbers):
    """A scenario whose scripts are much worse than a constant."""

    def run(self, job: Job) -> Execution:
        done = super().run(job)
        path = job.collect / "submission.csv"
        table = pd.read_csv(path)
        table.assign(y=-9 * table["y"]).to_csv(path, index=False)
        return done


async def test_a_baseline_that_is_submitted_has_intervals(tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", "y", "mae")
    result = await solve(tmp_path, Wrong(), task=task, retrieved_models=1, baselines=True)
    assert (result.status, result.winner) == ("baseline", "constant")
    assert result.uncertainty is not None
    quantile = result.uncertainty.targets[0].quantiles[result.uncertainty.place(0.8)] or 0.0
    assert quantile == pytest.approx(1.28 * np.hypot(3, NOISE), rel=0.25)
    assert result.uncertainty.fresh_rows


async def test_a_split_by_groups_counts_groups(tmp_path: Path) -> None:
    task = write_task(tmp_path / "task", "y", "mae")
    for name in ("train", "test"):
        table = pd.read_csv(task / f"{name}.csv")
        table.assign(patient=table["id"] // 5).to_csv(task / f"{name}.csv", index=False)
    (task / "task.toml").write_text('metric = "mae"\nsplit = "group:patient"\n', encoding="utf-8")
    result = await solve(tmp_path, Numbers(), task=task, retrieved_models=1)
    assert result.uncertainty is not None
    assert result.uncertainty.units == "groups"
    assert result.uncertainty.withheld_units < result.uncertainty.withheld_rows / 3
    assert "The coverage is promised on average over new groups" in Path(result.report or "").read_text("utf-8")


async def test_a_run_without_probabilities_says_why(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(), task=make_signs(tmp_path / "task"), retrieved_models=1)
    assert result.uncertainty is not None
    assert result.uncertainty.kind == "none"
    page = Path(result.report or "").read_text(encoding="utf-8")
    assert "There are no intervals or sets: predictions are labels without probabilities" in page
    with pytest.raises(UserError, match="run run has no intervals or sets: predictions are labels without prob"):
        result.predictor(runner=Scenario().runner()).predict_set(rows_of(result))
    with pytest.raises(UserError, match="an older version made it"):
        check_coverage(None, 0.8, "run run")


def record(scale: Scale, *quantiles: float, **more: object) -> Uncertainty:
    """Return a record with the same quantile at every level, one for each target."""
    targets = [
        TargetUncertainty(target=f"t{number}", quantiles=(quantile,) * len(LEVELS))
        for number, quantile in enumerate(quantiles)
    ]
    kind = "set" if scale == "probability" else "interval"
    return Uncertainty.model_validate({"kind": kind, "scale": scale, "levels": LEVELS, "targets": targets, **more})


def predictions(values: list[list[str]], kind: str, **spec: object) -> Predictions:
    common = {"name": "t", "problem": "regression", "metric": "rmse", "direction": "minimize", "train": "", "test": ""}
    full = TaskSpec.model_validate({**common, "target": ("y",), "prediction_kind": kind, **spec})
    frame = pd.DataFrame(values, columns=list(full.prediction_columns), dtype=object)
    return Predictions(full, full.classes, frame, frame.index)


def test_several_targets_have_columns_of_their_own() -> None:
    pair = predictions([["1", "-5"]], "value", target=("a", "b"), prediction_columns=("a", "b"))
    table = with_coverage(pair, record("log1p", 0.5, 1.0), 0.8)
    assert list(table.columns) == ["a", "b", "a_lower", "a_upper", "b_lower", "b_upper"]
    assert table["a_upper"][0] == pytest.approx(2 * np.exp(0.5) - 1)
    assert table[["b_lower", "b_upper"]].isna().to_numpy().all()
    assert submission_with_coverage(pair, record("log1p", 0.5, 1.0), 0.8).iloc[0, -2:].to_list() == ["", ""]


def test_classes_with_a_column_each_have_one_set() -> None:
    names = ("7", "8", "9")
    three = {"problem": "multiclass", "prediction_columns": ("p7", "p8", "p9"), "classes": names}
    made = predictions([["0.2", "0.5", "0.3"], ["0", "0", "0"]], "probability", **three)
    table = with_coverage(made, record("probability", 0.75), 0.8)
    assert table["y"].tolist() == [8, 7]
    assert table["set"].tolist() == [(8, 9), ()]
    assert submission_with_coverage(made, record("probability", 0.75), 0.8)["set"].tolist() == ["[8, 9]", "[]"]
    cities = predictions([["0.2", "0.5", "0.3"]], "probability", **{**three, "classes": ("a", "Łódź", 'b"')})
    assert submission_with_coverage(cities, record("probability", 0.75), 0.8)["set"][0] == r'["Łódź", "b\""]'


def test_numbers_are_written_with_the_decimal_mark_of_the_submission() -> None:
    made = predictions([["1,0"]], "value", prediction_columns=("y",), submission_decimal=",")
    table = submission_with_coverage(made, record("value", 0.7), 0.8)
    assert table.loc[0].to_dict() == {"y": "1,0", "lower": "0,3", "upper": "1,7"}


@pytest.mark.parametrize("coverage", [0, 1, 1.5, float("nan"), float("inf"), "0.9", None])
def test_a_coverage_that_is_none_is_refused_in_one_line(coverage: Any) -> None:
    with pytest.raises(UserError, match=r"^the model: .* is (not between 0\.5 and 0\.99|no number)$"):
        check_coverage(record("value", 0.7), coverage, "the model")


def test_what_speaks_against_the_coverage_is_told() -> None:
    bad = LevelCheck(level=0.8, width=1.0, coverage=0.5, coverage_se=0.02, quantile_se=0.02)
    target = TargetUncertainty(
        target="y", quantiles=(1.0,) * len(LEVELS), checks=(bad, bad.model_copy(update={"level": 0.95}))
    )
    later = record("value").model_copy(update={"targets": (target,), "units": "periods", "fresh_rows": 100})
    notes = limits_of(later)
    assert notes[0].startswith("fresh rows were covered less than stated, beyond noise: 80 %: 50.0 ± 2.0 %, too few")
    assert notes[1].startswith("Nothing is promised for later times")
