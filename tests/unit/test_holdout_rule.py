"""A split rule reads cells, describes itself, and means the same in a plan, a prompt and a script."""

from pathlib import Path

import pandas as pd
import pytest

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.rule import CellPart, SplitRule
from tests.unit.golden_prompts import render
from tests.unit.offline_context import CARD, brief_of, mixed_rows, write_task

CASES: list[tuple[CellPart, str, list[str], list[str], str]] = [
    ("before_first", "_", ["a_b_c", "d"], ["a", "d"], "text before the first '_'"),
    ("before_last", "_", ["a_b_c", "d"], ["a_b", "d"], "text before the last '_'"),
    ("leading_digits", "", ["12a3", "b7"], ["12", ""], "leading digits"),
    ("day", "", ["1970-01-02 11:00", ""], ["1", ""], "day"),
    ("number", "", ["row_12", "row"], ["12", ""], "last number of the text"),
    ("date", "", ["shop_1970-01-03", "shop_1970-01-02"], ["2", "1"], "date within the text"),
]


@pytest.mark.parametrize(("part", "separator", "cells", "groups", "words"), CASES)
def test_a_rule_reads_cells_and_describes_itself(
    part: CellPart, separator: str, cells: list[str], groups: list[str], words: str
) -> None:
    rule = SplitRule(part=part, separator=separator)
    assert rule.apply("when", pd.Series(cells)).tolist() == groups
    assert str(rule) == words


@pytest.mark.parametrize(("part", "separator", "cells", "groups", "words"), CASES)
def test_the_code_of_a_rule_groups_cells_alike(
    part: CellPart, separator: str, cells: list[str], groups: list[str], words: str
) -> None:
    rule, column = SplitRule(part=part, separator=separator), pd.Series([*cells, *cells])
    scripted = eval(rule.code, {"cells": column})
    assert pd.factorize(scripted)[0].tolist() == pd.factorize(rule.apply("when", column))[0].tolist()


@pytest.mark.parametrize(("index", "words"), [(2, "part 3 of the text"), (-2, "part 2 of the text from its end")])
def test_a_part_of_a_path_is_a_group(index: int, words: str) -> None:
    rule, cells = SplitRule(part="token", index=index), pd.Series(["rec_1_anna.wav", "rec_22_berta.wav"])
    assert rule.apply("file", cells).tolist() == ["anna", "berta"]
    assert eval(rule.code, {"cells": cells}).tolist() == ["anna", "berta"]
    assert str(rule) == words


@pytest.mark.parametrize("text", ["on May 5, 2019", "on 5 May 2019", "on 5th May 2019", "on 05.05.2019"])
def test_dates_are_read_inside_texts(text: str) -> None:
    clock = SplitRule(part="written_date").read_clock("note", pd.Series([f"seen {text} again"] * 3))
    assert clock is not None
    assert clock.format_time(clock.values[0]) == "2019-05-05"


def test_a_plan_keeps_its_rule_as_json() -> None:
    plan = SplitPlan(kind="group", column="id", group_rule=SplitRule(part="before_first", separator="/"), fraction=0.2)
    text = plan.model_dump_json()
    assert '"group_rule":{"part":"before_first","separator":"/","index":0}' in text
    assert SplitPlan.model_validate_json(text) == plan


def test_prompts_name_the_rule(tmp_path: Path) -> None:
    brief = brief_of(write_task(tmp_path, mixed_rows(), "label", "accuracy"))
    rule = SplitRule(part="before_first", separator="/")
    split = SplitPlan(kind="group", column="id", group_rule=rule, fraction=0.2)
    prompt = render("initializer", brief=brief.model_copy(update={"split": split}), card=CARD)
    assert "A row's group or time is the text before the first '/' of its `column`." in prompt
    assert '"group_rule": {"part": "before_first", "separator": "/", "index": 0}' in prompt
