"""What prompts contain about the files of a task: within a limit, each column once, and readable again."""

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.names import expand_names, shorten_names
from mlestar.data.overview import OVERVIEW_BYTES, make_overview
from mlestar.data.statistics import ColumnStatistics, FileStatistics, column_statistics
from mlestar.data.task import Task
from mlestar.offline.facts import Facts
from mlestar.prompts import MAX_DESCRIPTION
from mlestar.state import Brief
from tests.unit.golden_prompts import BRIEF, SPEC, render
from tests.unit.offline_context import write_task

SECTIONS = ("spec", "files", "column_statistics")


def number(name: str) -> ColumnStatistics:
    return ColumnStatistics(name=name, kind="float", distinct=80, minimum="-2.5", maximum="3.125", quantiles=(1,) * 5)


def wide_brief(names: Sequence[str]) -> Brief:
    """Return the brief of a task with these columns of numbers, a category, a date, an id and a target."""
    row = ColumnStatistics(name="id", kind="id", distinct=80, minimum="0", maximum="79", examples=("0", "1"))
    plan = ColumnStatistics(name="plan", kind="category", distinct=2, examples=("a", "b"), shares=(0.75, 0.25))
    since = ColumnStatistics(name="since", kind="date", distinct=70, examples=("2024-01-01",))
    label = ColumnStatistics(name="label", kind="int", distinct=2, examples=("0", "1"), shares=(0.5, 0.5))
    columns = (row, *map(number, names), plan, since)
    train = FileStatistics(file="train.csv", size=10, rows=60, columns=(*columns, label))
    test = FileStatistics(file="test.csv", size=10, rows=20, columns=columns)
    sample = FileStatistics(file="sample_submission.csv", size=10, rows=20, columns=(row, label))
    spec = SPEC.model_copy(update={"target": ("label",), "train_only": ()})
    return BRIEF.model_copy(update={"statistics": (train, test, sample), "spec": spec})


def section_bytes(prompt: str) -> int:
    by_tag = {tag: prompt.partition(f"\n<{tag}>")[2].partition(f"</{tag}>")[0] for tag in SECTIONS}
    assert all(by_tag.values())
    return sum(len(text.encode()) for text in by_tag.values())


@pytest.mark.parametrize("columns", [10, 200, 1000])
def test_the_sections_of_a_wide_table_stay_within_the_limit(columns: int) -> None:
    brief = wide_brief([f"number_{index}" for index in range(columns)])
    assert section_bytes(render("initializer", brief=brief)) <= OVERVIEW_BYTES


def test_irregular_names_in_many_files_stay_within_the_limit() -> None:
    draw = random.Random(1)
    names = ["".join(draw.choices("abcdefghij <é", k=30)) + str(index) for index in range(700)]
    brief = wide_brief(names)
    columns = brief.statistics[0].columns
    others = tuple(
        FileStatistics(file=f"extra_{number}_{names[number]}.csv", size=1, rows=3, columns=columns[number : number + 9])
        for number in range(300)
    )
    spec = brief.spec.model_copy(
        update={"auxiliary": tuple(file.file for file in others), "train_only": tuple(names[:300])}
    )
    wide = brief.model_copy(update={"statistics": brief.statistics + others, "spec": spec})
    prompt = render("initializer", brief=wide)
    assert section_bytes(prompt) <= OVERVIEW_BYTES
    described = json.loads(prompt.partition("\n<column_statistics>")[2].partition("</column_statistics>")[0])
    assert described[0]["columns"][0]["name"] in {"id", "label"}


@pytest.mark.parametrize("field", ["id", "pos_label", "name"])
def test_a_field_of_the_spec_that_is_as_long_as_a_header_is_cut(field: str) -> None:
    brief = wide_brief(["a", "b"])
    spec = brief.spec.model_copy(update={field: "x" * 15_000})
    assert section_bytes(render("initializer", brief=brief.model_copy(update={"spec": spec}))) <= OVERVIEW_BYTES


def test_the_informative_columns_are_described_in_full() -> None:
    brief = wide_brief([f"number_{index}" for index in range(1000)])
    train = brief.overview.columns[0]
    described = {column["name"] for column in train["columns"]}
    assert {"id", "label", "plan", "since"} <= described
    others = {group["kind"]: group for group in train["others"]}
    assert others["float"]["count"] == 1004 - len(described)
    assert re.fullmatch(r"number_\d+\.\.number_999", others["float"]["names"][-1])


def test_no_column_is_described_twice() -> None:
    brief = wide_brief(["height", "weight"])
    train, test, sample = brief.overview.columns
    assert [column["name"] for column in train["columns"]] == ["id", "height", "weight", "plan", "since", "label"]
    assert test == {"file": "test.csv", "as_in_train_without": ["label"]}
    assert sample == {"file": "sample_submission.csv", "as_in_train": ["id", "label"]}


def test_a_column_of_test_that_differs_from_train_is_described() -> None:
    train, test, sample = wide_brief(["x", "y"]).statistics
    columns = tuple(c.model_copy(update={"missing": 0.5}) if c.name == "x" else c for c in test.columns)
    overview = make_overview(SPEC, (train, test.model_copy(update={"columns": columns}), sample))
    described = overview.columns[1]["columns"]
    assert [(column["name"], column["missing"]) for column in described] == [("x", 0.5)]


def test_the_offline_engineer_reads_every_column_of_a_wide_table() -> None:
    names = [f"number_{index:03}" for index in range(600)]
    facts = Facts.read(render("initializer", brief=wide_brief(names)))
    assert {column.name for column in facts.test_columns} == {*names, "plan", "since"}
    assert facts.spec.target == ("label",)
    assert {column.kind for column in facts.test_columns if column.name in names} == {"float"}


def test_the_balance_of_classes_and_the_quantiles_are_described() -> None:
    target = column_statistics("y", pd.Series(["1"] * 30 + ["0"] * 60 + ["2"] * 10))
    assert (target.examples, target.shares) == (("0", "1", "2"), (0.6, 0.3, 0.1))
    amounts = column_statistics("amount", pd.Series([f"{amount}" for amount in range(101)]))
    assert list(amounts.quantiles) == [5, 25, 50, 75, 95]
    category = column_statistics("city", pd.Series([f"city {row % 30}" for row in range(90)]))
    assert (category.distinct, len(category.examples), category.shares[0]) == (30, 5, 0.0333)
    assert column_statistics("odd", pd.Series([*(f"{odd}" for odd in range(50)), "inf"])).quantiles == ()


def test_a_spec_that_changes_changes_the_prompt() -> None:
    brief = wide_brief(["height"])
    assert brief.overview.spec["metric"] == "log_loss"
    amended = brief.model_copy(update={"spec": brief.spec.model_copy(update={"metric": "roc_auc"})})
    assert amended.overview.spec["metric"] == "roc_auc"


def test_a_long_description_is_cut_and_the_cut_is_marked() -> None:
    prompt = render("planner", brief=BRIEF.model_copy(update={"description": "word " * 20_000}))
    description = prompt.partition("<task>\n")[2].partition("\n</task>")[0]
    assert len(description) <= MAX_DESCRIPTION + 60
    assert "characters cut ...]" in description


@pytest.mark.parametrize(
    ("names", "entries"),
    [
        (["a", "b"], ["a", "b"]),
        (["x0", "x1"], ["x0", "x1"]),
        ([f"x{number}" for number in range(12)], ["x0..x11"]),
        (["id", *[f"x{number:02}" for number in range(12)], "y"], ["id", "x00..x11", "y"]),
        (["x1", "x2", "x3", "x5"], ["x1..x3", "x5"]),
        (["8", "9", "10"], ["8..10"]),
        (["x08", "x09", "x10", "x011"], ["x08..x10", "x011"]),
        (["a..b", "... 3 mores"], ["a..b", "... 3 mores"]),
    ],
)
def test_numbered_names_are_shortened_and_read_again(names: list[str], entries: list[str]) -> None:
    assert shorten_names(names) == entries
    assert expand_names(entries) == names


def test_a_list_of_names_that_is_cut_says_how_many_are_left_out() -> None:
    names = ["a", *[f"x{number}" for number in range(9)], "b", "c", "d"]
    assert shorten_names(names, 2) == ["a", "x0..x8", "... 3 more"]
    assert expand_names(shorten_names(names, 2)) == names[:10]


def test_files_are_listed_once_on_one_line_each() -> None:
    columns = (ColumnStatistics(name="a\x1b[31m\u202e", kind="int", distinct=3, minimum="1", maximum="3"),)
    table = FileStatistics(file="train.csv", size=10, rows=3, columns=columns, records=(("1\n\x1b",), ("2",)))
    pictures = FileStatistics(file="pictures/", size=5, note="5 files, e.g. 0.png")
    overview = make_overview(SPEC, (table, pictures))
    assert overview.files.split("\n") == [
        "train.csv: 10 bytes, 3 rows, 1 columns",
        "  > 1",
        "  > 2",
        "pictures/: 5 bytes, 5 files, e.g. 0.png",
    ]


def test_a_task_describes_only_the_rows_that_it_shows(tmp_path: Path) -> None:
    folder = write_task(tmp_path, pd.DataFrame({"x": range(80), "y": ["a", "b"] * 40}), "y", "accuracy")
    task = Task.load(folder)
    shown = task.showing(np.arange(0, 60, 2))
    column = next(column for column in shown.statistics[0].columns if column.name == "y")
    assert (column.examples, column.shares) == (("a",), (1.0,))
