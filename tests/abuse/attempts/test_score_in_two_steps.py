"""One file gives a number to each row, another one has the label of each number.

Outcome: succeeded; prevented since.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, steal, write_json


def numbers(rows: Rows) -> list[int]:
    return [int(number) + 5000 for number in np.random.default_rng(0).permutation(len(rows.pairs))]


def write_annotations(folder: Path, rows: Rows) -> None:
    named = list(zip(numbers(rows), rows.pairs, strict=True))
    images = [{"id": number, "file_name": f"{row}.jpg"} for number, (row, _) in named]
    notes = [{"image_id": number, "category": label, "area": number % 97} for number, (_, label) in sorted(named)]
    write_json(folder / "annotations.json", {"images": images, "annotations": notes})


def write_tables_of_codes(folder: Path, rows: Rows) -> None:
    codes = pd.DataFrame({"id": [row for row, _ in rows.pairs], "code": numbers(rows)})
    codes.to_csv(folder / "codes.csv", index=False)
    kinds = pd.DataFrame({"code": codes["code"], "kind": [label for _, label in rows.pairs]})
    kinds.sort_values("code").to_csv(folder / "kinds.csv", index=False)


FORMS: dict[str, Write] = {"annotations": write_annotations, "tables": write_tables_of_codes}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    if (folder / "annotations.json").exists():
        content = json.loads((folder / "annotations.json").read_text())
        kinds = {note["image_id"]: note["category"] for note in content["annotations"]}
        return {image["file_name"][:-4]: kinds.get(image["id"], "") for image in content["images"]}
    codes, table = (pd.read_csv(folder / name, dtype=str) for name in ("codes.csv", "kinds.csv"))
    joined = codes.merge(table, on="code")
    return dict(zip(joined["id"], joined["kind"], strict=True))


@pytest.mark.parametrize("name", FORMS)
def test_numbers_of_rows_are_followed(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
