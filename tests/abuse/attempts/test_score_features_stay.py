"""A check that is too strict would leave out files of ordinary tasks; none of these is left out.

Outcome: prevented.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.abuse.attempts.helpers_score import Rows, stage_task
from tests.unit.reveal_layouts import make_tables, write_tables

RNG = np.random.default_rng(0)
MARKS = [f"w{number}" for number in range(300)]


def ids(rows: Rows) -> list[str]:
    return sorted([*(row for row, _ in rows.pairs), *rows.tests])


FILES: dict[str, Callable[[Rows], str]] = {
    "vocabulary.json": lambda rows: json.dumps({word: place for place, word in enumerate([*MARKS, "cat", "dog"])}),
    "page.html": lambda rows: f"<html><body><table>{rows.train.head(5).to_html()}</table><br></body></html>",
    "config.yaml": lambda rows: "labels:\n  - cat\n  - dog\nmodel:\n  depth: 3\n  rate: 0.1\n",
    "setup.cfg": lambda rows: "[cat]\nweight = 1\n[dog]\nweight = 2\n",
    "captions.txt": lambda rows: "".join(f"{row}\tan animal of {RNG.integers(99)} kg\n" for row in ids(rows)),
    "notes.json": lambda rows: json.dumps([{"id": row, "tags": RNG.choice(MARKS, 3).tolist()} for row in ids(rows)]),
    "links.csv": lambda rows: "a,b\n" + "".join(f"{a},{b}\n" for a, b in RNG.choice(ids(rows), (900, 2))),
    "numbers.csv": lambda rows: "id,number\n" + "".join(f"{row},{place}\n" for place, row in enumerate(ids(rows))),
    "sales.csv": lambda rows: "number,sold\n" + "".join(f"{place},{RNG.gamma(2, 9):.2f}\n" for place in range(400)),
    "checksums.txt": lambda rows: "".join(f"{RNG.bytes(16).hex()}  {row}.png\n" for row in ids(rows)),
    "folds.csv": lambda rows: "id,fold\n" + "".join(f"{row},{RNG.integers(5)}\n" for row, _ in rows.pairs),
    "quoted.csv": lambda rows: "id,x\n" + "".join(f'"{row}",{RNG.integers(9)}\r\n' for row in ids(rows)),
}


def test_files_of_ordinary_tasks_stay(tmp_path: Path) -> None:
    data = tmp_path / "task"
    data.mkdir()
    train, test = make_tables()
    write_tables(data, train, test)
    rows = Rows(list(zip(train["id"], train["label"], strict=True)), test["id"].tolist(), train)
    for name, make in FILES.items():
        (data / name).write_text(make(rows), newline="")
    stage_task(data, tmp_path / "input")
    staged = {path.name: path.read_bytes() for path in (tmp_path / "input").iterdir()}
    changed = [name for name in FILES if staged.get(name) != (data / name).read_bytes()]
    assert changed == []


@pytest.mark.parametrize("mark", ["a", "b"])
def test_pictures_of_all_rows_keep_their_names(tmp_path: Path, mark: str) -> None:
    data = tmp_path / "task"
    data.mkdir()
    train, test = make_tables()
    write_tables(data, train, test)
    (data / "pictures").mkdir()
    for row in [*train["id"], *test["id"]]:
        (data / f"pictures/{mark}_{row}.png").write_bytes(b"\x89PNG\0" + bytes(RNG.integers(0, 300)))
    stage_task(data, tmp_path / "input")
    assert len(list((tmp_path / "input/pictures").iterdir())) == len(train) + len(test)
