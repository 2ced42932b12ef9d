"""Faults of answers of competitions are known before a tool runs; submissions that are too large are not read."""

import json
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
