"""Labels are in JSON of odd shapes: flat, ragged, deep, a text inside a text, keys that occur twice.

Outcome: succeeded; prevented since.
"""

import json
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, beside, steal, text_of, write_json


def nest(rows: Rows) -> object:
    content: object = dict(rows.pairs)
    for key in "abcdefgh":
        content = {key: content}
    return content


FORMS: dict[str, Write] = {
    "flat": lambda folder, rows: write_json(folder / "extra.json", [cell for pair in rows.pairs for cell in pair]),
    "ragged": lambda folder, rows: write_json(
        folder / "extra.json", [[*pair, 1] if number % 3 else [*pair] for number, pair in enumerate(rows.pairs)]
    ),
    "deep": lambda folder, rows: write_json(folder / "extra.json", nest(rows)),
    "a text inside": lambda folder, rows: write_json(folder / "extra.json", {"data": json.dumps(dict(rows.pairs))}),
    "twice": lambda folder, rows: write_twice(folder / "extra.json", rows),
}


def write_twice(path: Path, rows: Rows) -> None:
    path.write_text("{" + ",".join(f'"{row}":"{label}","{row}":"x"' for row, label in rows.pairs) + "}")


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "extra.json"), ids)


@pytest.mark.parametrize("name", FORMS)
def test_json_of_any_shape_is_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
