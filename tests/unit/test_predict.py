"""Predicting new rows: the winner's script executes again, on an input with the new rows."""

import asyncio
import dataclasses
import os
import shutil
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.cli.predict import describe_predictions
from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import stage
from mlestar.files import sha256_of
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor import Predictor, RowColumn, RowSpec, check_frame, open_replay, row_spec
from mlestar.predictor.new_rows import check_replaceable, find_id_numbers, put_rows
from mlestar.predictor.predictions import Predictions
from mlestar.predictor.replay import replay_settings
from mlestar.report import Result
from mlestar.report.result import MemberRow
from mlestar.runners import Runner, RunnerOptions
from mlestar.settings import Settings
from tests.unit.command_line import call
from tests.unit.new_row_tasks import sales
from tests.unit.results import read_submission
from tests.unit.scenario import Scenario, failure, make_task, solve


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return the result of a run; tests leave its folder and its task as they are."""
    folder = tmp_path_factory.mktemp("predict")
    task = make_task(folder / "signs")
    (task / "notes.csv").write_text("word,meaning\na,b\n", encoding="utf-8")
    return asyncio.run(solve(folder, Scenario(), task=task))


@pytest.fixture
def test_rows(solved: Result) -> pd.DataFrame:
    return pd.read_csv(task_of(solved) / "test.csv")


def task_of(result: Result) -> Path:
    return Path(result.folder).parents[1] / "signs"


def make_runner(options: RunnerOptions) -> Runner:
    """Return the runner that `--runner tests.unit.test_predict:make_runner` names."""
    return Scenario().runner()


def hashes(folder: Path) -> dict[str, str]:
    return {str(path): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def test_predictions_for_the_test_rows_are_those_of_the_submission(solved: Result, test_rows: pd.DataFrame) -> None:
    predictor = solved.predictor(runner=Scenario().runner())
    assert isinstance(predictor, Predictor)
    predicted = predictor.predict(test_rows)
    assert predicted["label"].tolist() == read_submission(solved)["label"].tolist()


async def test_rows_are_predicted_while_an_event_loop_is_running(solved: Result, test_rows: pd.DataFrame) -> None:
    predictor = open_replay(solved.folder, runner=Scenario().runner())
    blocking = predictor.predict(test_rows[:3])
    assert blocking.equals(await predictor.apredict(test_rows[:3]))


def test_predictions_have_the_order_and_the_index_of_the_rows(solved: Result, test_rows: pd.DataFrame) -> None:
    shuffled = test_rows[:20].sample(frac=1, random_state=1)
    predicted = solved.predictor(runner=Scenario().runner()).predict(shuffled)
    assert list(predicted.index) == list(shuffled.index)
    share = (predicted["label"].eq("yes") == shuffled["x"].gt(0)).mean()
    assert share == 0.9  # of the scripted winner


def test_the_script_finds_new_rows_in_the_form_of_the_input(solved: Result, test_rows: pd.DataFrame) -> None:
    scenario, notes = Scenario(), list[str]()
    frame = test_rows[:2].drop(columns="id").assign(label="yes", spare=1)
    solved.predictor(runner=scenario.runner(), on_note=notes.append).predict(frame)
    (files,) = scenario.inputs.values()
    real = task_of(solved)
    assert files["test.csv"].splitlines()[0] == "id,x,z"
    assert [line.split(",")[0] for line in files["test.csv"].splitlines()[1:]] == ["400", "401"]
    assert files["sample_submission.csv"] == "id,label\n400,no\n401,no\n"
    for name in ("train.csv", "notes.csv"):
        assert files[name] == (real / name).read_text(encoding="utf-8")
    assert notes[0] == "new rows: left out: the columns 'label', 'spare'"


def test_nothing_of_the_run_changes(solved: Result, test_rows: pd.DataFrame) -> None:
    before = hashes(Path(solved.folder).parents[1])
    solved.predictor(runner=Scenario().runner()).predict(test_rows[:5])
    assert hashes(Path(solved.folder).parents[1]) == before


def test_a_script_that_fails_on_new_rows_is_named_with_its_error(solved: Result, test_rows: pd.DataFrame) -> None:
    scenario = Scenario(jobs={f"{solved.winner}-predict": "broken"})
    with pytest.raises(UserError, match=r"the script of run run failed on the new rows: .*KeyError: 'x' \(broken\)"):
        solved.predictor(runner=scenario.runner()).predict(test_rows)
    assert failure("broken").status == "error"


def test_a_metric_without_probabilities_has_none_to_predict(solved: Result, test_rows: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="submissions for accuracy hold no probabilities but labels: use predict"):
        solved.predictor(runner=Scenario().runner()).predict_proba(test_rows)


def test_ranks_of_a_blend_are_no_probabilities(solved: Result, test_rows: pd.DataFrame) -> None:
    notes = list[str]()
    predictor = open_replay(solved.folder, runner=Scenario().runner(), on_note=notes.append)
    assert not predictor.blends_ranks
    members = (MemberRow(solution="t0.c1", weight=0.5), MemberRow(solution="t1.c1", weight=0.5))
    rows = [row.model_copy(update={"members": members}) for row in solved.solutions]
    result = solved.model_copy(update={"solutions": tuple(rows), "metric": "auroc"})
    ordered = predictor.task.spec.model_copy(update={"metric": "auroc", "prediction_kind": "probability"})
    blend = dataclasses.replace(predictor, result=result, task=dataclasses.replace(predictor.task, spec=ordered))
    for predict in (blend.predict, blend.predict_proba):
        with pytest.raises(UserError, match="is a blend of ranks, which are no probabilities"):
            predict(test_rows)
    with pytest.raises(UserError, match=r"is not valid: .* is not a number"):  # the script of this test writes labels
        blend.predict_submission(test_rows[:5])
    assert "the winner blends ranks" in notes[0]


def test_data_that_changed_or_are_gone_are_refused(solved: Result, tmp_path: Path, test_rows: pd.DataFrame) -> None:
    task = task_of(solved)
    kept = shutil.copytree(task, tmp_path / "signs")
    predictor = solved.predictor(runner=Scenario().runner())
    try:
        with (task / "train.csv").open("a", encoding="utf-8") as file:
            file.write("999,1.0,1.0,yes\n")
        changed = r"the data of run run have changed.*: train\.csv has changed"
        with pytest.raises(UserError, match=changed):
            solved.predictor(runner=Scenario().runner())
        with pytest.raises(UserError, match=changed):
            predictor.predict(test_rows)
        shutil.rmtree(task)
        with pytest.raises(UserError, match="the task folder of run run is gone"):
            solved.predictor(runner=Scenario().runner())
    finally:
        shutil.rmtree(task, ignore_errors=True)
        shutil.copytree(kept, task)


async def test_a_run_without_rows_to_predict_predicts_new_ones(tmp_path: Path) -> None:
    task = make_task(tmp_path / "signs")
    (task / "test.csv").unlink()
    (task / "sample_submission.csv").unlink()
    (task / "task.toml").write_text('target = "label"\nid = "id"\n', encoding="utf-8")
    result = await solve(tmp_path, Scenario(), task=task)
    assert result.submission is None
    rows = pd.DataFrame({"x": [1.5, -2.0, 0.25, 3.0, -1.0], "z": 0})
    predicted = await result.predictor(runner=Scenario().runner()).apredict(rows)
    assert predicted["label"].tolist() == ["yes", "no", "yes", "yes", "yes"]  # the last one is wrong: 0.9 of 5 rows


async def test_a_run_without_a_solution_is_refused(tmp_path: Path) -> None:
    result = await solve(tmp_path, Scenario(initializer="no code"))
    with pytest.raises(UserError, match="run run has no solution to predict with"):
        result.predictor()


def test_pictures_that_no_row_names_are_refused(solved: Result, tmp_path: Path) -> None:
    folder = shutil.copytree(task_of(solved), tmp_path / "signs")
    check_replaceable(Task.load(folder))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    task = Task.load(folder)
    pictures = dataclasses.replace(task, spec=task.spec.model_copy(update={"modality": "image"}))
    with pytest.raises(UserError, match=r"are files or have some, such as picture\.png"):
        check_replaceable(pictures)


def test_the_runner_of_the_run_executes_again_and_auto_trusts_nothing(solved: Result) -> None:
    settings = Settings(runner="auto")
    for recorded, asked, used in (
        ("docker", None, "docker"),
        ("local", None, "local"),
        ("docker", "auto", "docker"),
        ("", None, "docker"),
        ("docker", "local", "local"),
    ):
        result = solved.model_copy(update={"runner": recorded})
        assert replay_settings(settings, result, asked).runner == used
    with pytest.raises(UserError, match="had a runner of yours, 'scripted'"):
        replay_settings(settings, solved)


def test_no_question_is_asked_about_what_the_run_was_allowed(solved: Result) -> None:
    asked = replay_settings(Settings(packages="ask", weights="ask"), solved, "local")
    assert (asked.packages, asked.weights) == ("auto", "auto")
    assert replay_settings(Settings(packages="image"), solved, "local").packages == "image"


def put(task: Path, folder: Path, frame: pd.DataFrame) -> Task:
    """Stage the real input of a task with the rows of a frame in place of the rows to predict."""
    loaded = Task.load(task)
    stage(loaded, None, folder)
    spec = row_spec(loaded)
    return put_rows(loaded, spec, folder, check_frame(spec, frame))


def test_ids_of_two_columns_and_numbers_of_rows_are_made_anew(tmp_path: Path) -> None:
    task, new = sales(tmp_path / "sales")
    placed = put(task, tmp_path / "input", new)
    written = (tmp_path / "input/test.csv").read_text(encoding="utf-8")
    assert written == "row,shop,day,visits\n0,east,2024-02-01,5\n1,east,2024-02-02,6\n"
    written = (tmp_path / "input/sample_submission.csv").read_text(encoding="utf-8")
    assert written == "key,sold\neast_2024-02-01,0.0\neast_2024-02-02,0.0\n"
    assert placed.test.rows["key"].tolist() == ["east_2024-02-01", "east_2024-02-02"]
    assert (task / "test.csv").read_text(encoding="utf-8").count("\n") == 17


def test_rows_in_parquet_keep_the_types_of_the_file(tmp_path: Path) -> None:
    task = tmp_path / "signs"
    task.mkdir()
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame(
        {"id": range(60), "x": np.arange(60) / 7, "n": range(60), "day": days, "ok": [True, False] * 30}
    )
    frame["city"] = pd.Categorical(["Rome", "Oslo"] * 30)
    frame.assign(label=["a", "b"] * 30)[:40].to_parquet(task / "train.parquet", index=False)
    frame[40:].to_parquet(task / "test.parquet", index=False)
    put(task, tmp_path / "input", frame[40:])
    written, real = (pd.read_parquet(path / "test.parquet") for path in (tmp_path / "input", task))
    pd.testing.assert_frame_equal(written, real, check_categorical=False)
    with pytest.raises(UserError, match="column 'n' cannot be written as int64"):
        put(task, tmp_path / "other", frame[40:].assign(n=0.5))


@pytest.mark.parametrize(
    ("known", "made"),
    [
        (["7", "9", "8"], ["10", "11"]),
        (["row_0009", "row_0007", "row_0008"], ["row_0010", "row_0011"]),
        (["x1z", "q", "kk"], ["new-1", "new-2"]),
    ],
)
def test_rows_without_an_id_get_one_that_no_row_has(tmp_path: Path, known: list[str], made: list[str]) -> None:
    folder = make_task(tmp_path / "signs", rows=40)
    test = pd.read_csv(folder / "test.csv")[:3].assign(id=known)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(label="no").to_csv(folder / "sample_submission.csv", index=False)
    train = pd.read_csv(folder / "train.csv")[:6]
    train.assign(id=[f"{known[0][:-1]}{number}" for number in range(6)]).to_csv(folder / "train.csv", index=False)
    assert find_id_numbers(Task.load(folder), "id").names(2) == made


def test_the_command_writes_the_submission(solved: Result, tmp_path: Path) -> None:
    runs, out = Path(solved.folder).parent, tmp_path / "out.csv"
    common = ("--runs-dir", runs, "--runner", "tests.unit.test_predict:make_runner")
    done = call("predict", "run", task_of(solved) / "test.csv", "-o", out, *common)
    assert done.exit_code == 0, done.output
    assert out.read_text(encoding="utf-8") == Path(solved.submission or "").read_text(encoding="utf-8")
    (tmp_path / "link").symlink_to(runs / "run")
    for rows, target, message in (
        (task_of(solved), out, "have no files: give the file of a table"),
        (tmp_path / "none.csv", out, "no such file"),
        (task_of(solved) / "notes.csv", out, "new rows: the frame lacks the columns 'x', 'z'"),
        (task_of(solved) / "test.csv", runs / "run" / "out.csv", "where nothing changes"),
        (task_of(solved) / "test.csv", tmp_path / "link" / "out.csv", "where nothing changes"),
        (task_of(solved) / "test.csv", task_of(solved) / "test.csv", "is the file of the new rows"),
        (task_of(solved) / "test.csv", task_of(solved) / "train.csv", "is among the data of the run"),
        (task_of(solved) / "test.csv", task_of(solved) / "out.csv", "is among the data of the run"),
    ):
        refused = call("predict", "run", rows, "-o", target, *common)
        assert (refused.exit_code, message in " ".join(refused.output.split())) == (2, True), refused.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out.csv"]


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("log_loss", "p is the probability of 'yes'"), ("auroc", "p is higher where 'yes' is more probable; auroc uses")],
)
def test_the_command_says_which_class_a_probability_is_of(metric: str, shown: str) -> None:
    common = {"name": "t", "problem": "binary", "metric": metric, "direction": "maximize", "target": ("y",)}
    common |= {"train": "train.csv", "test": "test.csv", "pos_label": "yes"}
    spec = TaskSpec.model_validate(common | {"prediction_columns": ("p",), "prediction_kind": "probability"})
    assert describe_predictions(spec).startswith(shown)
    assert describe_predictions(spec.model_copy(update={"prediction_kind": "label"})) == ""


COLUMNS = RowSpec(
    columns=(
        RowColumn(name="age", kind="int", missing_codes=("-",)),
        RowColumn(name="price", kind="float", number_format="1.234,5"),
        RowColumn(name="seen", kind="date", date_format="%d.%m.%Y", examples=("31.01.2024",)),
        RowColumn(name="paid", kind="bool", examples=("true", "false")),
        RowColumn(name="city", kind="category"),
    ),
    id=RowColumn(name="id", kind="id"),
    targets=("y",),
)
ROWS = pd.DataFrame(
    {
        "id": ["a", "b"],
        "age": [30.0, np.nan],
        "price": [1234.5, -0.25],
        "seen": pd.Series(["2024-02-01", ""]).pipe(pd.to_datetime),
        "paid": [True, False],
        "city": ["Łódź", None],
    }
)


def test_cells_are_written_as_the_files_of_the_task_hold_them() -> None:
    cells = check_frame(COLUMNS, ROWS)
    assert cells.to_numpy().tolist() == [
        ["a", "30", "1234,5", "01.02.2024", "true", "Łódź"],
        ["b", "", "-0,25", "", "false", ""],
    ]
    again = check_frame(COLUMNS, cells)
    assert again.equals(cells)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (ROWS.drop(columns=["age", "city"]), "the frame lacks the columns 'age', 'city'"),
        (ROWS.rename(columns={"price": "prices"}), r"lacks the column 'price' \(did you mean 'prices'\?\)"),
        (ROWS.assign(age=["30", "old"]), "column 'age', row 2: 'old' is not a number"),
        (ROWS.assign(price=["1,5", "a lot"]), "column 'price', row 2: 'a lot' is not a number like 1.234,5"),
        (ROWS.assign(seen="soon"), "column 'seen', row 1: 'soon' is not a date like 31.01.2024"),
        (ROWS.assign(id="a"), "the id 'a' in column 'id' occurs twice"),
        (ROWS.assign(id=["a", ""]), "the id 'id' of row 2 is empty"),
        (ROWS[:0], "the frame has no rows"),
        (pd.concat([ROWS, ROWS["age"]], axis=1), "the column 'age' occurs more than once"),
        ([1, 2], "give a pandas or polars frame"),
    ],
)
def test_frames_that_do_not_suit_are_refused_by_name(frame: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        check_frame(COLUMNS, frame)
    assert "\n" not in str(refused.value)


def test_codes_for_missing_values_are_no_text_among_numbers() -> None:
    assert check_frame(COLUMNS, ROWS.assign(age=["30", "-"]))["age"].tolist() == ["30", "-"]


def predictions(values: list[list[str]], **spec: object) -> Predictions:
    common = {"name": "t", "problem": "binary", "metric": "auroc", "direction": "maximize", "train": "", "test": ""}
    full = TaskSpec.model_validate({**common, "target": ("y",), "prediction_kind": "probability", **spec})
    frame = pd.DataFrame(values, columns=list(full.prediction_columns), dtype=object)
    return Predictions(full, ("0", "1", "2")[: max(2, len(full.classes))], frame, frame.index)


def test_the_probability_of_one_class_gives_that_of_both_and_the_label() -> None:
    both = predictions([["0.25"], ["0.75"]], prediction_columns=("y",), pos_label="1")
    assert both.probabilities().to_dict("list") == {0: [0.75, 0.25], 1: [0.25, 0.75]}
    assert both.labels_or_values()["y"].tolist() == [0, 1]


def test_probabilities_of_classes_have_their_names_as_columns() -> None:
    classes = ("0", "1", "2")
    three = predictions(
        [["0.2", "0.3", "0.5"]], problem="multiclass", prediction_columns=("p0", "p1", "p2"), classes=classes
    )
    assert three.probabilities().to_dict("list") == {0: [0.2], 1: [0.3], 2: [0.5]}
    assert three.labels_or_values()["y"].tolist() == [2]


def test_several_targets_have_a_column_each() -> None:
    several = predictions(
        [["0.2", "0.7"]], problem="multilabel", target=("a", "b"), prediction_columns=("a", "b"), metric="log_loss"
    )
    assert several.labels_or_values().to_dict("list") == {"a": [0], "b": [1]}


def test_predictions_have_the_names_of_their_targets_in_whatever_order_train_has_them() -> None:
    swapped = {"problem": "regression", "metric": "rmse", "prediction_kind": "value", "target": ("b", "a")}
    several = predictions([["1", "2"]], prediction_columns=("a", "b"), **swapped)
    assert several.labels_or_values().to_dict("list") == {"a": [1.0], "b": [2.0]}


def test_scores_that_only_order_rows_are_no_probabilities() -> None:
    with pytest.raises(UserError, match="scores outside of 0 to 1 for auroc, which are no probabilities"):
        predictions([["3.5"]], prediction_columns=("y",), pos_label="1").probabilities()


@pytest.mark.parametrize("in_a_notebook", [False, True])
def test_an_interrupted_prediction_leaves_no_process_and_no_folder(
    solved: Result, test_rows: pd.DataFrame, tmp_path: Path, in_a_notebook: bool
) -> None:
    mark, script = tmp_path / "mark", tmp_path / "slow.py"
    script.write_text(
        f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    replay = solved.predictor(runner="local")
    slow = dataclasses.replace(replay, result=replay.result.model_copy(update={"solution": str(script)}))

    def interrupt() -> None:
        until = time.monotonic() + 30
        while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    async def cell() -> None:
        slow.predict(test_rows)

    def predict() -> None:
        if not in_a_notebook:
            slow.predict(test_rows)
            return
        with closing(asyncio.new_event_loop()) as loop:
            loop.run_until_complete(cell())

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        predict()
    thread.join()
    assert not Path(f"/proc/{int(mark.read_text())}").exists()
    assert [path.name for path in Path(solved.folder).parent.iterdir() if path.name.startswith(".predict-")] == []
