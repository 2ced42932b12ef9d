"""Hundreds of files beside the tables are named after rows, with the label in the name or inside.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, Write, steal


def write_names(folder: Path, rows: Rows) -> None:
    for row, label in rows.pairs:
        (folder / f"{label}_{row}.txt").write_text("x")


def write_contents(folder: Path, rows: Rows) -> None:
    for row, label in rows.pairs:
        (folder / f"{row}.txt").write_text(label)


def write_in_folder(folder: Path, rows: Rows) -> None:
    (folder / "pictures").mkdir()
    for row, label in rows.pairs:
        (folder / f"pictures/{label}-{row}.png").write_bytes(b"\x89PNG\0")


FORMS: dict[str, Write] = {"names": write_names, "contents": write_contents, "names in a folder": write_in_folder}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    found = {path.stem: path.read_text() for path in folder.glob("*.txt")}
    names = [*folder.glob("*.txt"), *folder.glob("pictures/*")]
    pairs = [path.stem.replace("-", "_").split("_") for path in names]
    return found | {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


@pytest.mark.parametrize("name", FORMS)
def test_files_named_after_rows_are_looked_at(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
