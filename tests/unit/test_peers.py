"""Other tools of a benchmark: a constant, and any command line; how they end, and how they are chosen."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.baselines import best_constant
from mlestar.bench.peers import find_peers
from mlestar.bench.peers.library import LIBRARIES
from mlestar.bench.peers.plain import read_targets, write_tables
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.data.task import Task
from mlestar.errors import SettingsError
from tests.unit.peer_tasks import TEST_ROWS, make_task

COPY_FIRST = "import sys, pandas as pd; t = pd.read_csv(sys.argv[1] + '/test.csv')[['row']]; t['grade'] = 'bad'; "
COPY_FIRST += "t.to_csv(sys.argv[2], index=False)"


def run_peer(task: SuiteTask, folder: Path, name: str, *commands: str, seconds: float = 60) -> Outcome:
    folder.mkdir()
    [tool] = find_peers([name] if name else [], commands, seconds=seconds, cpus=1)
    return tool.run(task, 0, folder)


def command(code: str) -> str:
    return f"mine={shlex.quote(sys.executable)} -c {shlex.quote(code)} {{input}} {{output}} {{seconds}}"


def values_task(folder: Path, metric: str, values: list[float]) -> Task:
    folder.mkdir()
    (folder / "description.md").write_text(f"Predict y. The metric is {metric}.\n")
    rows = pd.DataFrame({"id": range(len(values)), "x": values, "y": values})
    rows.to_csv(folder / "train.csv", index=False)
    rows.drop(columns="y").to_csv(folder / "test.csv", index=False)
    return Task.load(folder)


def test_the_constant_is_the_most_common_label(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    outcome = run_peer(task, tmp_path / "out", "constant")
    assert outcome.submission is not None
    written = pd.read_csv(outcome.submission)["grade"]
    labels = pd.read_csv(task.folder / "train.csv")["grade"]
    assert written.tolist() == [labels.mode()[0]] * TEST_ROWS


@pytest.mark.parametrize(
    ("metric", "constant"), [("root mean squared error", 26.5), ("mean absolute error", 2.0)], ids=["mean", "median"]
)
def test_the_constant_suits_the_metric(tmp_path: Path, metric: str, constant: float) -> None:
    task = values_task(tmp_path / "task", metric, [1.5, 2.0, 2.0, 100.5] * 10)
    rows = np.arange(len(task.train.rows))
    assert best_constant(task, task.metric, rows).cells == pytest.approx((constant,))


def test_data_that_is_no_plain_table_is_refused_in_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "description.md").write_text("Predict written for every id. The metric is exact match.\n")
    rows = pd.DataFrame({"id": range(50), "spoken": [f"word {number}" for number in range(50)]})
    rows.assign(written=rows["spoken"] + "!").to_csv(folder / "train.csv", index=False)
    rows.to_csv(folder / "test.csv", index=False)
    answers = make_task(tmp_path / "other").answers
    outcome = run_peer(SuiteTask("words", folder, answers), tmp_path / "out", "sklearn")
    assert (outcome.status, outcome.reason) == ("unavailable", "sklearn is not given such data: texts are predicted")


def test_a_carriage_return_in_a_text_does_not_end_its_row(tmp_path: Path) -> None:
    task = Task.load(make_task(tmp_path / "task").folder)
    labelled = np.ones(len(task.train.rows), dtype=bool)
    task.train.rows["colour"] = [f"a long text,\rline {row % 7} of it" for row in range(len(labelled))]
    write_tables(task, read_targets(task, labelled), labelled, tmp_path)
    written = pd.read_csv(tmp_path / "train.csv", dtype=str, keep_default_na=False)
    assert len(written) == len(labelled)
    assert set(task.train.rows["colour"]) in [set(written[name]) for name in written]


def test_a_command_turns_a_task_folder_into_a_submission(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    outcome = run_peer(task, tmp_path / "out", "", command(COPY_FIRST))
    assert outcome.status == "graded", outcome.reason
    assert outcome.submission is not None
    assert len(pd.read_csv(outcome.submission)) == TEST_ROWS
    assert not (tmp_path / "out" / "input").exists()


def test_a_command_works_on_a_copy(tmp_path: Path) -> None:
    task = make_task(tmp_path / "task")
    before = (task.folder / "train.csv").read_bytes()
    run_peer(task, tmp_path / "out", "", command("import sys; open(sys.argv[1] + '/train.csv', 'w').write('spoilt')"))
    assert (task.folder / "train.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("raise ValueError('no such\\x1b[31m colour')", "failed", "exit status 1: ValueError: no such colour"),
        ("import os; os.abort()", "failed", "ended by signal 6"),
        ("pass", "no_solution", "it ended without writing {output}"),
    ],
    ids=["error", "signal", "nothing"],
)
def test_a_command_that_fails_is_a_reason(tmp_path: Path, code: str, status: str, reason: str) -> None:
    outcome = run_peer(make_task(tmp_path / "task"), tmp_path / "out", "", command(code))
    assert (outcome.status, outcome.reason) == (status, reason)


def test_a_submission_of_an_earlier_attempt_does_not_count(tmp_path: Path) -> None:
    task, out = make_task(tmp_path / "task"), tmp_path / "out"
    out.mkdir()
    (out / "submission.csv").write_text("left by a killed attempt")
    [tool] = find_peers([], [command("pass")], seconds=60, cpus=1)
    assert tool.run(task, 0, out).status == "no_solution"


def test_a_group_of_peers_is_all_of_them() -> None:
    tools = find_peers(["autogluon", "sklearn"], [], seconds=60, cpus=2)
    assert [tool.name for tool in tools] == ["autogluon-medium", "autogluon-best", "sklearn"]


@pytest.mark.parametrize(
    ("names", "commands", "message"),
    [
        (["sklern"], [], "did you mean sklearn?"),
        ([], ["mine=run {input}"], "the command has no {output}"),
        ([], ["run {input} {output}"], "write NAME="),
        ([], ["mine=run '{input} {output}"], "cannot be read"),
        (["sklearn"], ["sklearn=run {input} {output}"], "two tools are called sklearn"),
    ],
    ids=["name", "placeholder", "no-name", "quote", "twice"],
)
def test_a_wrong_peer_is_refused(names: list[str], commands: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("{", r"\{").replace("?", r"\?")):
        find_peers(names, commands, seconds=60, cpus=2)


def test_every_library_has_its_script() -> None:
    scripts = Path(find_peers.__code__.co_filename).parent / "scripts" / "peer_models"
    assert {library.module for library in LIBRARIES} <= {path.stem for path in scripts.glob("*.py")}
