"""Answers of competitions: pictures, and faults that are known before a tool runs; submissions that are too large."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mlestar.bench.mlebench import competition_answers
from mlestar.errors import UserError
from tests.unit.prepared_competition import answers_folder, write_csv


def test_a_submission_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    folder = answers_folder(tmp_path, "rmse", target="price")
    write_csv(folder / "answers.csv", {"id": [1, 2], "price": [3, 4]})
    answers = competition_answers(folder)
    assert answers is not None
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(2**40)
    assert "more than the" in answers.grade(tmp_path / "a.csv").problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"pos_label": "maybe"}, "pos_label is 'maybe'"), ({"id_column": "number"}, "no column 'number'")],
)
def test_faults_of_answers_are_known_before_a_tool_runs(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    folder = answers_folder(tmp_path, "auroc", target="kind", direction="maximize")
    write_csv(folder / "answers.csv", {"id": [1, 2, 3], "kind": ["no", "yes", "no"]})
    path = folder / "grade.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=problem):
        competition_answers(folder)


def test_pictures_are_answers(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = answers_folder(tmp_path, "pixel_rmse", target="value")
    (folder / "cleaned").mkdir()
    image.new("L", (2, 1), 255).save(folder / "cleaned" / "7.png")
    image.new("L", (1, 1), 0).save(folder / "cleaned" / "8.png")
    columns: dict[str, Sequence[object]] = {"id": ["7_1_1", "7_1_2", "8_1_1"], "value": [1.0, 0.0, 0.0]}
    answers = competition_answers(folder)
    assert answers is not None
    assert answers.grade(write_csv(tmp_path / "a.csv", columns)).score == round((1 / 3) ** 0.5, 5)
