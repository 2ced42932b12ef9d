"""The importance of columns: what is permuted, how it is measured, and that it never costs a result."""

import asyncio
import io
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.data.task import Task
from mlestar.errors import RunnerError
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.evaluation.importance import planning
from mlestar.evaluation.importance.measuring import NotMeasuredError, PermutedAnswers, measure_losses
from mlestar.evaluation.importance.planning import PermutationPlan, plan_permutation
from mlestar.evaluation.importance.staging import stage_permuted
from mlestar.events import Event
from mlestar.report import Result
from mlestar.runners import Execution, Job
from mlestar.runtime.budget import Budget
from mlestar.settings import Settings
from mlestar.state import ColumnImportance, Importance
from mlestar.store import Ledger, Record
from tests.unit.layout_folders import write_files
from tests.unit.new_row_tasks import sales
from tests.unit.scenario import SMALL, Scenario, failure, resume, signs, solve, success
from tests.unit.withheld import answers, submit

Write = Callable[[Job], Execution]


class Measured(Scenario):
    """A scenario whose scripts predict each row by its cells, as far as nothing else is said of the measurement."""

    def __init__(self, write: Write | None = None) -> None:
        super().__init__()
        self.write = write or predict

    def run(self, job: Job) -> Execution:
        if job.name.endswith("-importance"):
            self.ran.append(job.name)
            self.inputs[job.name] = {path.name: path.read_text(encoding="utf-8") for path in job.input.glob("*.*")}
            return self.write(job)
        execution = super().run(job)
        return predict(job) if "variants" not in job.script and execution.status == "ok" else execution


def predict(job: Job) -> Execution:
    """Predict by the column that the label follows from, wrong for every row whose other column is large."""
    test = pd.read_csv(job.input / "test.csv")
    right = np.where(test["x"] > 0, "yes", "no")
    wrong = np.where(test["x"] > 0, "no", "yes")
    label = np.where(test["z"] > 2, wrong, right)
    pd.DataFrame({"id": test["id"], "label": label}).to_csv(job.collect / "submission.csv", index=False)
    return success(("submission.csv",), "Final Validation Performance: 1.0\n")


async def run(folder: Path, scenario: Scenario) -> Result:
    return await solve(folder, scenario, {**SMALL, "importance": True, "fresh_share": 0.3})


def importance_of(result: Result) -> Importance:
    assert result.importance is not None
    return result.importance


async def test_one_further_execution_measures_the_columns_of_withheld_rows(tmp_path: Path) -> None:
    scenario, events = Measured(), list[Event]()
    settings = {**SMALL, "importance": True, "fresh_share": 0.3, "runs_dir": tmp_path / "runs"}
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **scenario.options(on_event=events.append))
    found, name = importance_of(result), f"{result.winner}-importance"
    assert [job for job in scenario.ran if job.endswith("-importance")] == [name] == scenario.ran[-1:]
    test = pd.read_csv(io.StringIO(scenario.inputs[name]["test.csv"]))
    assert list(test.columns) == ["id", "x", "z"]
    assert test["id"].is_unique
    assert set(test["id"]).isdisjoint(pd.read_csv(signs().input / "train.csv")["id"])
    assert len(test) == 3 * found.rows
    first, by_x = test[: found.rows].reset_index(drop=True), test[found.rows : 2 * found.rows].reset_index(drop=True)
    assert (first["z"] == by_x["z"]).all()
    assert (first["x"] != by_x["x"]).any()
    assert sorted(first["x"]) == sorted(by_x["x"])
    assert [row.column for row in found.columns] == ["x", "z"]
    assert [row.column for row in found.mattering] == ["x"]
    assert found.columns[0].loss is not None
    assert 0.3 < found.columns[0].loss < 0.7
    assert 0.02 < found.columns[0].loss_se < 0.2
    assert (found.solution, found.rows_of, found.seconds, found.reason) == (result.winner, "fresh", 1.0, "")
    assert list(found.frame().index) == ["x", "z"]
    assert any(event.stage == "importance" and "matter most: x 0." in event.message for event in events)


async def test_a_setting_switches_it_off(tmp_path: Path) -> None:
    scenario = Measured()
    result = await solve(tmp_path, scenario)
    assert result.importance is None
    assert not [job for job in scenario.ran if "importance" in job]


def by_position(job: Job) -> Execution:
    test = pd.read_csv(job.input / "test.csv")
    label = np.where(np.arange(len(test)) % 2 == 0, "yes", "no")
    pd.DataFrame({"id": test["id"], "label": label}).to_csv(job.collect / "submission.csv", index=False)
    return success(("submission.csv",))


def too_few_rows(job: Job) -> Execution:
    pd.DataFrame({"id": [1], "label": ["yes"]}).to_csv(job.collect / "submission.csv", index=False)
    return success(("submission.csv",))


def broken_sandbox(job: Job) -> Execution:
    msg = "the engine is gone"
    raise RunnerError(msg)


def defect(job: Job) -> Execution:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (by_position, "the script predicts unchanged rows otherwise"),
        (lambda job: failure("x"), "the script failed on the rows with permuted columns"),
        (lambda job: success(()), "it wrote no submission.csv"),
        (too_few_rows, "rows"),
        (broken_sandbox, "the engine is gone"),
        (defect, "ZeroDivisionError"),
    ],
)
async def test_a_failure_is_a_note_and_changes_nothing_else(tmp_path: Path, write: Write, reason: str) -> None:
    result = await run(tmp_path, Measured(write))
    found = importance_of(result)
    assert reason in found.reason
    assert "\n" not in found.reason
    assert found.columns == ()
    assert result.status == "solved"
    assert Path(result.submission or "").is_file()


async def test_without_time_or_executions_left_nothing_is_measured_and_no_refusal_is_recorded(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        budget = Budget(Settings(max_hours=1.0), ledger)
        assert await budget.lacks("importance", 60) == ""
        assert "max_hours" in await budget.lacks("importance", 3700)
        capped = Budget(Settings(max_executions=1), ledger)
        assert await capped.lacks("importance", 60) == ""

        async def work() -> Record:
            return Record(result={})

        await ledger.once("key", "execution", "t0.c1", work)
        assert "0 of 1 executions" in await capped.lacks("importance", 60)
        assert ledger.notes("refusal") == []


async def test_what_was_executed_is_not_executed_again_when_the_run_is_resumed(tmp_path: Path) -> None:
    scenario = Measured()

    def fail(event: Event) -> None:
        if event.stage == "importance":
            raise ZeroDivisionError

    settings = {**SMALL, "importance": True, "fresh_share": 0.3, "runs_dir": tmp_path / "runs"}
    with pytest.raises(ZeroDivisionError):
        await mlestar.asolve(signs(), settings=settings, run_id="run", **scenario.options(on_event=fail))
    assert [job for job in scenario.ran if job.endswith("-importance")]
    again = Measured()
    result = await resume(tmp_path, again)
    assert not [job for job in again.ran if job.endswith("-importance")]
    assert importance_of(result).mattering


async def test_a_stop_before_the_measurement_ends_the_run_without_it(tmp_path: Path) -> None:
    stop, scenario = asyncio.Event(), Measured()

    def end(event: Event) -> None:
        if event.stage == "export" and "valid submission" in event.message:
            stop.set()

    settings = {**SMALL, "importance": True, "fresh_share": 0.3, "runs_dir": tmp_path / "runs"}
    options = scenario.options(on_event=end, stop=stop)
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    assert result.status == "solved"
    assert importance_of(result).reason in ("the run was stopped", "")


def permuted_answers(truth: np.ndarray, columns: int, units: np.ndarray | None = None) -> PermutedAnswers:
    known = answers("rmse", truth, units=units)
    return PermutedAnswers(
        **{name: getattr(known, name) for name in known.__dataclass_fields__},
        tiled=replace(known.form, rows=len(truth) * (columns + 1)),
        chosen=np.arange(len(truth)),
        columns=columns,
    )


def test_a_loss_is_the_paired_difference_of_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    plain, worse = truth + 0.1 * rng.normal(size=200), truth + rng.normal(size=200)
    known = permuted_answers(truth, 2)
    blocks = submit(tmp_path, np.concatenate([plain, worse, plain]), name="blocks")
    losses = measure_losses(known, blocks, submit(tmp_path, plain))
    assert losses.score == pytest.approx(float(np.sqrt(np.mean((truth - plain) ** 2))))
    assert losses.columns[0].difference == pytest.approx(float(np.sqrt(np.mean((truth - worse) ** 2)) - losses.score))
    assert 0.02 < losses.columns[0].standard_error < 0.1
    assert losses.columns[1] == losses.moved
    assert (losses.moved.difference, losses.moved.standard_error) == (0.0, 0.0)


def test_a_submission_that_is_not_valid_is_not_measured(tmp_path: Path) -> None:
    truth = np.arange(30.0)
    with pytest.raises(NotMeasuredError):
        measure_losses(permuted_answers(truth, 1), submit(tmp_path, truth, name="blocks"), submit(tmp_path, truth))


def plan_of(folder: Path) -> tuple[Grader, PermutationPlan]:
    task = Task.load(folder)
    grader = Grader(task, search_holdout(task, infer_split(task), seed=1))
    return grader, plan_permutation(grader, seed=1)


def make_frame(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"key": [f"r{number:04d}" for number in range(rows)], "size": rng.normal(size=rows).round(3)})
    frame["kind"] = rng.choice(["oak", "elm, grey"], rows)
    frame["flat"] = "same"
    return frame.assign(price=(2 * frame["size"] + rng.normal(size=rows)).round(3))


def write_folder(folder: Path, frame: pd.DataFrame, suffix: str = ".csv") -> Path:
    folder.mkdir(parents=True)
    train, test = frame[:-80], frame[-80:].drop(columns="price")
    for name, part in (("train", train), ("test", test)):
        if suffix == ".parquet":
            part.to_parquet(folder / f"{name}.parquet", index=False)
        elif suffix == ".jsonl":
            part.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
        else:
            part.to_csv(folder / f"{name}.csv", index=False)
    test[["key"]].assign(price=0.5).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text('metric = "rmse"\ntarget = "price"\nsplit = "random"\n', encoding="utf-8")
    return folder


def read_staged(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_csv(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_the_staged_test_file_has_the_form_of_the_real_one(tmp_path: Path, suffix: str) -> None:
    folder = write_folder(tmp_path / "task", make_frame(), suffix)
    grader, plan = plan_of(folder)
    first = stage_permuted(grader.task, plan, tmp_path / "input")
    staged = read_staged(tmp_path / f"input/test{suffix}")
    real = read_staged(folder / f"test{suffix}")
    assert list(staged.columns) == list(real.columns)
    assert (staged.dtypes == real.dtypes).all()
    count = len(plan.chosen)
    assert (plan.columns, plan.constant, plan.id) == (("size", "kind"), ("flat",), "key")
    assert staged["key"].is_unique
    assert staged["key"].iloc[0] == "r0300"
    blocks = [staged[start : start + count].reset_index(drop=True) for start in range(0, len(staged), count)]
    assert len(blocks) == 3
    for block, name in zip(blocks[1:], plan.columns, strict=True):
        assert [one for one in ("size", "kind", "flat") if not (block[one] == blocks[0][one]).all()] == [name]
        assert sorted(block[name]) == sorted(blocks[0][name])
    sample = pd.read_csv(tmp_path / "input/sample_submission.csv")
    assert list(sample["key"]) == list(staged["key"])
    assert stage_permuted(grader.task, plan, tmp_path / "again") == first
    assert stage_permuted(grader.task, plan, tmp_path / "input") == first


def test_columns_beyond_the_cap_are_those_that_tell_least(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_COLUMNS", 2)
    rng = np.random.default_rng(0)
    frame = make_frame()
    for number in range(4):
        frame.insert(1, f"noise{number}", rng.normal(size=len(frame)).round(3))
    _, plan = plan_of(write_folder(tmp_path / "task", frame))
    assert "size" in plan.columns
    assert (len(plan.columns), len(plan.left_out)) == (2, 4)


def test_a_wide_table_is_permuted_in_fewer_rows_and_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make_frame()[["flat", "kind", "size", "key", "price"]]
    grader, _ = plan_of(write_folder(tmp_path / "task", frame))
    withheld = len(grader.holdout.withheld)
    monkeypatch.setattr(planning, "FEWEST_ROWS", 5)
    monkeypatch.setattr(planning, "MOST_CELLS", 4 * 3 * (withheld - 2))
    fewer = plan_permutation(grader, seed=1)
    assert (len(fewer.chosen), fewer.columns) == (withheld - 2, ("kind", "size"))
    monkeypatch.setattr(planning, "MOST_CELLS", 4 * 2 * 50)
    one = plan_permutation(grader, seed=1)
    assert (one.columns, one.left_out) == (("size",), ("kind",))
    monkeypatch.setattr(planning, "MOST_CELLS", 20)
    with pytest.raises(NotMeasuredError, match="too few"):
        plan_permutation(grader, seed=1)


def test_ids_with_a_meaning_and_tables_that_refer_to_ids_are_refused(tmp_path: Path) -> None:
    frame = make_frame()
    visits = write_folder(tmp_path / "visits", frame)
    frame[["key"]].assign(visit=1).to_csv(visits / "visits.csv", index=False)
    with pytest.raises(NotMeasuredError, match=r"visits\.csv refers to rows by their id"):
        plan_of(visits)
    dated = frame.assign(key=pd.date_range("2024-01-01", periods=len(frame)).strftime("%Y-%m-%d"))
    with pytest.raises(NotMeasuredError, match="with a meaning"):
        plan_of(write_folder(tmp_path / "dated", dated))


def test_ids_made_of_columns_are_refused(tmp_path: Path) -> None:
    folder, _ = sales(tmp_path / "sales")
    with pytest.raises(NotMeasuredError):
        plan_of(folder)


def test_rows_that_are_files_are_refused(tmp_path: Path) -> None:
    names = [f"train/{name}/{number}.jpg" for name in ("cat", "dog") for number in range(60)]
    write_files(tmp_path / "task", [*names, *(f"test/{number}.jpg" for number in range(40))])
    (tmp_path / "task/task.toml").write_text('metric = "accuracy"\n', encoding="utf-8")
    with pytest.raises(NotMeasuredError, match="rows are files"):
        plan_of(tmp_path / "task")


def test_a_column_matters_beyond_two_standard_errors_only() -> None:
    assert ColumnImportance(column="a", loss=0.21, loss_se=0.1).matters
    assert not ColumnImportance(column="a", loss=0.19, loss_se=0.1).matters
    assert not ColumnImportance(column="a", loss=-0.5, loss_se=0.1).matters
    assert not ColumnImportance(column="a").matters
