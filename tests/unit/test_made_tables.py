"""Generated tables and panels load as tasks, have their answers beside them, and are the same for a seed."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.made_bench import spread
from benchmarks.made_series import PANELS, MadePanel, make_panel, write_panel
from benchmarks.made_tables import TABLES, MadeTable, write_table
from benchmarks.standings import standings
from mlestar.bench.contents import check_separate
from mlestar.bench.find import find_suite
from mlestar.bench.rows import BenchRow, Graded
from mlestar.data.task import Task

SMALL = [replace(made, rows=min(made.rows, 250), test_rows=50) for made in TABLES]
"""The same tables with fewer rows, which take less time."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    for made in SMALL:
        write_table(folder, made, 0)
    for panel in PANELS:
        write_panel(folder, panel, 0)
    return folder


@pytest.mark.parametrize("made", SMALL[2::9], ids=lambda made: made.name)
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


@pytest.mark.parametrize("made", SMALL, ids=lambda made: made.name)
def test_a_table_loads_as_the_task_that_it_is(made: MadeTable, suite: Path) -> None:
    task = Task.load(suite / "tasks" / made.name)
    answers = pd.read_csv(suite / "answers" / made.name / "answers.csv")
    test = pd.read_csv(suite / "tasks" / made.name / "input" / "test.csv")
    assert task.spec.metric == made.metric
    assert list(task.spec.target) == list(answers.columns[1:])
    assert len(task.train.rows) == made.rows
    assert len(test) == made.test_rows
    np.testing.assert_array_equal(answers["id"], test["id"])
    assert not set(answers.columns[1:]) & set(test.columns)
    assert not answers.isna().to_numpy().any()


def test_no_answers_are_in_a_task_folder(suite: Path) -> None:
    for name in (*[made.name for made in SMALL], *[made.name for made in PANELS]):
        names = {path.name for path in (suite / "tasks" / name).rglob("*")}
        assert names == {"task.md", "input", "train.csv", "test.csv", "sample_submission.csv"}
        check_separate(suite / "tasks" / name, suite / "answers" / name)


def test_sample_submissions_are_graded(suite: Path) -> None:
    names = ["mixed-5-classes", "targets-2-positive", "rules-noisy-labels"]
    found = find_suite(suite, only=names)
    assert len(found.tasks) == len(names)
    for task in found.tasks:
        assert task.answers.grade(task.folder / "input" / "sample_submission.csv").problem == ""


@pytest.mark.parametrize("made", PANELS, ids=lambda made: made.name)
def test_a_panel_continues_in_test(made: MadePanel, suite: Path) -> None:
    train, test = make_panel(made, 0)
    answers = pd.read_csv(suite / "answers" / made.name / "answers.csv")
    assert Task.load(suite / "tasks" / made.name).spec.metric == made.metric
    np.testing.assert_array_equal(answers["id"], test["id"])
    assert train["date"].max() < test["date"].min()
    assert len(test) == made.series * made.horizon
    assert made.missing == 0 or len(train) < made.series * (made.length - made.horizon)


def test_a_spread_has_every_family_before_a_second_table_of_one() -> None:
    names, families = spread(TABLES), {made.name: made.make.__qualname__ for made in TABLES}
    first = [families[name] for name in names[: len(set(families.values()))]]
    assert sorted(names) == sorted(families)
    assert len(set(first)) == len(first)


def test_a_difference_within_an_error_is_a_tie() -> None:
    def rows(tool: str, *scores: tuple[float, float]) -> list[BenchRow]:
        return [
            BenchRow(
                task=f"task{place}",
                tool=tool,
                seed=0,
                status="graded",
                direction="minimize",
                graded=Graded(score=sum(pair) / 2, resampled=pair),
            )
            for place, pair in enumerate(scores)
        ]

    first = rows("first", (1.0, 1.2), (1.0, 1.2), (1.0, 1.2))
    found = standings(first, rows("second", (0.5, 0.6), (0.9, 1.3), (1.5, 1.8)))
    assert [pair.task for pair in found.wins] == ["task0"]
    assert [pair.task for pair in found.ties] == ["task1"]
    assert [pair.task for pair in found.losses] == ["task2"]
    assert standings(first, rows("second")).summary == "0 wins, 0 ties, 0 losses"


def test_a_missing_score_loses() -> None:
    first = BenchRow(task="task", tool="first", seed=0, status="graded", graded=Graded(score=1.0))
    second = BenchRow(task="task", tool="second", seed=0, status="failed")
    assert standings([first], [second]).summary == "0 wins, 0 ties, 1 losses"


def test_names_say_the_kind_of_table() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", made.name) for made in TABLES)
