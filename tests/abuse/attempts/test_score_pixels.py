"""The label is written inside the picture of each train row, where no reader looks.

Outcome: succeeds; stated in docs/security.md. Pictures exist for train and test alike and are features.
"""

from pathlib import Path

from tests.abuse.attempts.helpers_score import ALL, Rows, beside, steal, text_of


def write(folder: Path, rows: Rows) -> None:
    (folder / "pictures").mkdir()
    for row, label in [*rows.pairs, *((row, "") for row in rows.tests)]:
        (folder / f"pictures/{row}.png").write_bytes(b"\x89PNG\0tEXt " + f"{label}".ljust(9).encode())


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return {row: beside(f"{row} {text_of(folder, f'pictures/{row}.png')}", [row]).get(row, "") for row in ids}


def test_a_script_can_read_notes_of_pictures(tmp_path: Path) -> None:
    assert steal(tmp_path, write, read).after > ALL
