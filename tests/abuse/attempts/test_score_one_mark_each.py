"""A text has one character for each row, and a table one cell, in the order of the rows.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, steal


def marks(rows: Rows) -> str:
    return "".join("1" if label == "cat" else "0" for _, label in rows.pairs)


def write_marks(folder: Path, rows: Rows) -> None:
    text = marks(rows)
    (folder / "marks.txt").write_text("\n".join(text[start : start + 40] for start in range(0, len(text), 40)))


def write_cells(folder: Path, rows: Rows) -> None:
    text = marks(rows)
    width = next(width for width in range(2, 30) if len(text) % width == 0)
    lines = [",".join(text[start : start + width]) for start in range(0, len(text), width)]
    (folder / "cells.csv").write_text("\n".join([",".join(f"c{n}" for n in range(width)), *lines, ""]))


FORMS: dict[str, Write] = {"characters": write_marks, "cells": write_cells}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    rows = [line.split(",")[0] for line in (folder.parent / "task/train.csv").read_text().split("\n")[1:-1]]
    path = folder / "marks.txt"
    text = path.read_text() if path.exists() else (folder / "cells.csv").read_text().split("\n", 1)[1]
    values = [mark for mark in text if mark in "01"]
    return {row: "cat" if mark == "1" else "dog" for row, mark in zip(rows, values, strict=True)}


@pytest.mark.parametrize("name", FORMS)
def test_one_mark_for_each_row_is_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
