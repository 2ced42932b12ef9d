"""What earlier runs wrote into a task folder is never data; nor are the answers for the test rows."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import mlestar
from mlestar.data.folder import read_task_folder
from mlestar.data.outputs import MARKER
from mlestar.data.task import Task
from mlestar.evaluation import infer_split, search_holdout, stage
from mlestar.evaluation.holdout.answers import find_answers
from tests.unit.command_line import call
from tests.unit.scenario import SMALL, Scenario, count_rows, make_task

DATA = ("sample_submission.csv", "test.csv", "train.csv")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return make_task(tmp_path / "signs", rows=200)


async def start(task: Path, run_id: str, runs: str = "runs") -> mlestar.Result:
    values = {**SMALL, "outer_steps": 0, "runs_dir": task / runs, "model_backoff": 0}
    return await mlestar.asolve(task, settings=values, run_id=run_id, **Scenario().options())


@pytest.mark.parametrize("runs", ["runs", "my results", "out/of/mlestar"])
async def test_a_second_run_in_a_flat_folder_reads_what_the_first_read(task: Path, runs: str) -> None:
    await start(task, "first", runs)
    (task / runs / "demo-task").mkdir()
    shutil.copy(task / "train.csv", task / runs / "demo-task/train.csv")
    assert read_task_folder(task).files == DATA
    assert (await start(task, "second", runs)).status == "solved"
    staged = list((task / runs / "second/inputs").glob("*/input"))
    assert len(staged) > 1
    for folder in staged:
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["sample_submission.csv", "task.md", "test.csv", "train.csv"]


async def test_a_folder_that_held_data_before_is_not_taken_for_one_of_runs(task: Path) -> None:
    (task / "more").mkdir()
    (task / "more/prices.csv").write_text("id,price\n1,2\n", encoding="utf-8")
    await start(task, "first", "more")
    assert not (task / "more" / MARKER).exists()
    assert read_task_folder(task).files == ("more/prices.csv", *DATA)


async def test_copies_of_what_a_run_left_are_no_data(task: Path) -> None:
    result = await start(task, "first")
    for name in ("solution.py", "submission.csv", "report.html"):
        shutil.copy(Path(result.folder) / name, task / name)
    assert read_task_folder(task).files == DATA
    shutil.rmtree(task / "runs")
    assert "submission.csv" in read_task_folder(task).files, "nothing shows any more who wrote it"


async def test_a_result_tells_that_the_files_beside_it_are_of_a_run(task: Path, tmp_path: Path) -> None:
    result = await start(task, "first")
    (task / "kept").mkdir()
    for name in ("solution.py", "submission.csv", "report.html", "result.json"):
        shutil.copy(Path(result.folder) / name, task / "kept" / name)
    shutil.rmtree(task / "runs")
    assert read_task_folder(task).files == DATA


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '{"status": "solved"}'])
def test_another_file_named_as_a_result_is_data(task: Path, content: str) -> None:
    (task / "result.json").write_text(content, encoding="utf-8")
    (task / "submission.csv").write_text("id,label\n1,no\n", encoding="utf-8")
    assert set(read_task_folder(task).files) == {"result.json", "submission.csv", *DATA}


def test_bad_input_leaves_no_marked_folder(tmp_path: Path) -> None:
    done = call("run", tmp_path / "nowhere", "--runs-dir", tmp_path / "runs", "--model", "offline")
    assert done.exit_code == 2
    assert not (tmp_path / "runs").exists()


def answers_by_id(task: Path) -> None:
    test = pd.read_csv(task / "test.csv")
    test[["id"]].assign(label=["yes", "no"] * (len(test) // 2)).to_csv(task / "solution_labels.csv", index=False)


def answers_by_order(task: Path) -> None:
    test = pd.read_csv(task / "test.csv")
    pd.DataFrame({"label": ["yes"] * len(test)}).to_csv(task / "y_true.csv", index=False)


def answers_with_train(task: Path) -> None:
    test, train = pd.read_csv(task / "test.csv"), pd.read_csv(task / "train.csv")
    pd.concat([train, test.assign(label="no")]).to_csv(task / "everything.csv", index=False)


def answers_in_a_folder(task: Path) -> None:
    (task / "grading").mkdir()
    answers_by_id(task)
    shutil.move(task / "solution_labels.csv", task / "grading/labels.csv")


def answers_as_json(task: Path) -> None:
    test = pd.read_csv(task / "test.csv")
    test[["id"]].assign(label="no").to_json(task / "answers.json", orient="records")


ANSWERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "by id": (answers_by_id, "solution_labels.csv"),
    "by order": (answers_by_order, "y_true.csv"),
    "with train": (answers_with_train, "everything.csv"),
    "in a folder": (answers_in_a_folder, "grading/labels.csv"),
    "as JSON": (answers_as_json, "answers.json"),
}


@pytest.mark.parametrize(("write", "name"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers_for_the_test_rows_are_named_and_never_staged(
    task: Path, tmp_path: Path, write: Callable[[Path], None], name: str
) -> None:
    write(task)
    loaded = Task.load(task)
    assert find_answers(loaded) == (name,)
    for holdout in (None, search_holdout(loaded, infer_split(loaded), seed=0)):
        folder = tmp_path / ("real" if holdout is None else "holdout")
        stage(loaded, holdout, folder)
        assert not (folder / name).exists()
        assert (folder / "train.csv").is_file()
    shown = call("check", task)
    assert f"the target of the test rows is in it: {name}" in shown.stdout
    assert json.loads(call("check", task, "--json").stdout)["answers"] == [name]


def features(task: Path) -> None:
    test = pd.read_csv(task / "test.csv")
    test[["id"]].assign(price=1).to_csv(task / "prices.csv", index=False)


def few_answers(task: Path) -> None:
    test = pd.read_csv(task / "test.csv").head(10)
    test[["id"]].assign(label="no").to_csv(task / "known.csv", index=False)


def empty_answers(task: Path) -> None:
    pd.read_csv(task / "test.csv")[["id"]].assign(label="").to_csv(task / "form.csv", index=False)


def old_labels(task: Path) -> None:
    pd.read_csv(task / "train.csv")[["id", "label"]].to_csv(task / "labels.csv", index=False)


@pytest.mark.parametrize("write", [features, few_answers, empty_answers, old_labels], ids=lambda write: write.__name__)
def test_other_files_are_no_answers(task: Path, write: Callable[[Path], None]) -> None:
    write(task)
    assert find_answers(Task.load(task)) == ()


async def test_agents_are_not_told_what_is_in_the_answers(task: Path, tmp_path: Path) -> None:
    answers_by_id(task)
    scenario, lines = Scenario(), list[str]()
    values = {**SMALL, "outer_steps": 0, "runs_dir": tmp_path / "runs", "model_backoff": 0}
    options = scenario.options(on_event=lambda event: lines.append(event.message))
    result = await mlestar.asolve(count_rows(task), settings=values, run_id="run", **options)
    assert result.status == "solved"
    assert any("solution_labels.csv" in line for line in lines)
    prompts = [prompt for asked in scenario.prompts.values() for prompt in asked]
    assert prompts
    assert not any("solution_labels.csv" in prompt for prompt in prompts)


def test_a_read_only_task_in_a_folder_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(tmp_path / "mes données (été) #1", rows=40)
    for path in (*task.iterdir(), task):
        path.chmod(path.stat().st_mode & ~0o222)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    relative = os.path.relpath(task)
    assert json.loads(call("check", relative, "--json").stdout)["spec"]["target"] == ["label"]
