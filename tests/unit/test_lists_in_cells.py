"""Columns whose cells are lists of a few values, such as tags."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.statistics import column_statistics
from mlestar.data.tables.lists import find_separator, split_list
from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate, grade_on_holdout, initializer_prompt, write_task

TAGS = ("red fish", "cold soup", "old bread", "sweet cake", "rice", "beans", "salt")


def lists(separator: str, rows: int = 200) -> list[str]:
    draw = np.random.default_rng(0)
    return [separator.join(draw.permutation(TAGS)[: draw.integers(1, 5)]) for _ in range(rows)]


@pytest.mark.parametrize(("written", "found"), [("; ", ";"), (";", ";"), (", ", ","), ("|", "|"), (" / ", "/")])
def test_separators_of_lists_are_found(written: str, found: str) -> None:
    assert column_statistics("labels", lists(written)).list_separator == found


def test_lists_with_brackets_and_quotes_are_found() -> None:
    cells = [str(cell.split(";")) for cell in lists(";")]
    assert column_statistics("labels", cells).list_separator == ","
    assert split_list("['red fish', \"rice\"]", ",") == ["red fish", "rice"]


def test_items_may_be_separated_by_blanks() -> None:
    cells = [" ".join(item.replace(" ", "_") for item in cell.split(";")) for cell in lists(";")]
    assert column_statistics("labels", cells).list_separator == " "


def names() -> list[str]:
    draw = np.random.default_rng(1)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(draw.choice(letters, 6)) for _ in range(600)]
    return [f"{words[row]}, Mr. {words[row + 200]} {words[row + 400]}" for row in range(200)]


def sentences() -> list[str]:
    draw = np.random.default_rng(2)
    words = ["".join(draw.choice(list("abcdefghijkl"), 4)) for _ in range(2000)]
    return [", ".join(" ".join(draw.choice(words, 3)) for _ in range(draw.integers(1, 4))) for _ in range(200)]


@pytest.mark.parametrize(
    "cells",
    [
        names(),
        sentences(),
        [f"A/{row}/{'PS'[row % 2]}" for row in range(200)],
        [f"2024-{row % 12 + 1:02d}-01" for row in range(200)],
        ["yes, always", "no", "no, never"] * 60,
        [f"{row},{row + 1},{row * 2}" if row % 3 else f"{row},1" for row in range(200)],
        ["12;13", "12", "13;12;14"] * 50,
    ],
    ids=["names", "sentences", "places", "dates", "categories", "numbers", "few"],
)
def test_other_cells_are_no_lists(cells: list[str]) -> None:
    assert column_statistics("labels", cells).list_separator == ""


def test_empty_values_are_no_lists() -> None:
    assert find_separator(()) == ""


@pytest.mark.parametrize("card", ["Ridge", "LightGBM"])
def test_a_script_learns_from_the_items(tmp_path: Path, card: str) -> None:
    cells = lists("; ", 240)
    value = [sum(TAGS.index(item) ** 2 for item in cell.split("; ")) for cell in cells]
    rows = pd.DataFrame({"id": range(240), "labels": cells, "value": value})
    folder = write_task(tmp_path / "task", rows, "value", "rmse")
    brief = brief_of(folder, ("scikit-learn", "numpy", "pandas", "scipy", "lightgbm"))
    script = candidate(brief, ModelCard(name=card))
    assert "def list_features" in script
    assert "`list_separator`" in initializer_prompt(brief)
    grade, _ = grade_on_holdout(script, folder, tmp_path)
    assert grade < 0.25 * np.std(value)


def test_prompts_say_nothing_about_lists_where_there_are_none(tmp_path: Path) -> None:
    rows = pd.DataFrame({"id": range(60), "x": np.arange(60.0), "value": np.arange(60.0)})
    brief = brief_of(write_task(tmp_path / "task", rows, "value", "rmse"))
    assert "list_separator" not in initializer_prompt(brief)
    assert "Counter" not in candidate(brief)
