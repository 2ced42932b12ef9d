"""The generated tables of the benchmarks load as tasks, have their answers beside them, and are the same for a seed."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.made_tables import TABLES, TEST_ROWS, MadeTable, write_table
from mlestar.bench.find import find_suite
from mlestar.data.task import Task


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    for made in TABLES:
        write_table(folder, made, 0)
    return folder


@pytest.mark.parametrize("made", TABLES[::9], ids=lambda made: made.name)
def test_the_same_seed_gives_the_same_bytes(made: MadeTable, suite: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        write_table(tmp_path / str(seed), made, seed)
    task = contents(suite / "tasks" / made.name)
    assert contents(tmp_path / "0" / "tasks" / made.name) == task
    assert contents(tmp_path / "1" / "tasks" / made.name) != task


def test_names_differ_and_every_family_has_two_settings() -> None:
    assert len({made.name for made in TABLES}) == len(TABLES)
    families = [made.make.__qualname__ for made in TABLES]
    assert all(families.count(family) >= 2 for family in families)


@pytest.mark.parametrize("made", TABLES, ids=lambda made: made.name)
def test_a_table_loads_as_the_task_that_it_is(made: MadeTable, suite: Path) -> None:
    task = Task.load(suite / "tasks" / made.name)
    answers = pd.read_csv(suite / "answers" / made.name / "answers.csv")
    test = pd.read_csv(suite / "tasks" / made.name / "input" / "test.csv")
    assert task.spec.metric == made.metric
    assert list(task.spec.target) == list(answers.columns[1:])
    assert len(task.train.rows) == made.rows
    assert len(test) == TEST_ROWS
    np.testing.assert_array_equal(answers["id"], test["id"])
    assert not set(answers.columns[1:]) & set(test.columns)
    assert not answers.isna().to_numpy().any()


def test_no_answers_are_in_a_task_folder_and_samples_are_graded(suite: Path) -> None:
    found = find_suite(suite)
    assert [row.problem for row in found.rows] == [""] * len(TABLES)
    for task in found.tasks:
        names = {path.name for path in task.folder.rglob("*")}
        assert names == {"task.md", "input", "train.csv", "test.csv", "sample_submission.csv"}
        assert task.answers.grade(task.folder / "input" / "sample_submission.csv").problem == ""


def test_names_say_the_kind_of_table() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", made.name) for made in TABLES)
