"""A submission writes ids and numbers in odd spellings: other digits, two BOMs, underscores, a second header.

Outcome: prevented.
"""

from pathlib import Path

import pandas as pd
import pytest

from mlestar.evaluation import Grader, infer_split, search_holdout
from tests.unit.holdout_folders import random_task


def wide(text: str) -> str:
    return "".join(chr(0xFF10 + int(mark)) if mark.isdigit() else mark for mark in text)


FORMS = {
    "two BOMs": lambda ids, labels: "\ufeff\ufeff" + table(ids, labels),
    "wide digits": lambda ids, labels: table([wide(row) for row in ids], labels),
    "underscores": lambda ids, labels: table([f"{row[0]}_{row[1:]}" for row in ids], labels),
    "hexadecimal": lambda ids, labels: table([hex(int(row)) for row in ids], labels),
    "two headers": lambda ids, labels: "id,label\n" + table(ids, labels),
    "a zero after all": lambda ids, labels: table(ids, labels) + "\0",
    "an id twice": lambda ids, labels: table([*ids[:-1], f"{ids[0]}.0"], labels),
    "both answers": lambda ids, labels: table(ids, ["yes|no"] * len(ids)),
    "an answer and nothing": lambda ids, labels: table(ids, [f"{label}\u200b" for label in labels]),
    "lines that are none": lambda ids, labels: table(ids, labels).replace("\n", "\u2028"),
}


def table(ids: list[str], labels: list[str]) -> str:
    lines = [f"{row},{label}" for row, label in zip(ids, labels, strict=True)]
    return "\n".join(["id,label", *lines, ""])


@pytest.mark.parametrize("name", FORMS)
def test_odd_spellings_are_refused(tmp_path: Path, name: str) -> None:
    task = random_task(tmp_path, 400)
    holdout = search_holdout(task, infer_split(task), seed=1)
    rows = task.train.rows.iloc[holdout.withheld]
    path = tmp_path / "submission.csv"
    grader = Grader(task, holdout)
    path.write_text(table(rows["id"].tolist(), rows["label"].tolist()))
    assert grader.grade(path).score == 1.0
    path.write_text(FORMS[name](rows["id"].tolist(), rows["label"].tolist()), encoding="utf-8", newline="")
    grade = grader.grade(path)
    assert grade.score is None
    assert grade.problem


@pytest.mark.parametrize("cell", ["nan", "1e308", "0x1p-1", "1_0", "\u0660.\u0665", "1e5000", "(1+0j)", "50%", "True"])
def test_numbers_in_odd_spellings_are_refused(tmp_path: Path, cell: str) -> None:
    task = random_task(tmp_path, 400, "mae")
    holdout = search_holdout(task, infer_split(task), seed=1)
    ids = task.train.rows["id"].iloc[holdout.withheld]
    pd.DataFrame({"id": ids, "label": [cell, *["1"] * (len(ids) - 1)]}).to_csv(tmp_path / "submission.csv", index=False)
    assert Grader(task, holdout).grade(tmp_path / "submission.csv").score is None
