"""Labels are in records of several lines: INI sections, YAML, logs and notes.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Write, beside, steal, text_of

FORMS: dict[str, Write] = {
    "sections": lambda folder, rows: write_text(
        folder, "".join(f"[{row}]\nsize = {len(row)}\nkind = {label}\n\n" for row, label in rows.pairs)
    ),
    "YAML": lambda folder, rows: write_text(
        folder, "items:\n" + "".join(f"  - id: {row}\n    kind: {label}\n" for row, label in rows.pairs)
    ),
    "a log": lambda folder, rows: write_text(
        folder, "".join(f"12:00 load {row}\nsize {len(row)}\n12:00 true {label}\n" for row, label in rows.pairs)
    ),
    "lines in turn": lambda folder, rows: write_text(folder, rows.lines("\n")),
    "one line": lambda folder, rows: write_text(folder, rows.lines(" ").replace("\n", " ")),
    "a program": lambda folder, rows: write_text(folder, f"KNOWN = {dict(rows.pairs)!r}\n"),
}


def write_text(folder: Path, text: str) -> None:
    (folder / "notes.dat").write_text(text)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "notes.dat"), ids)


@pytest.mark.parametrize("name", FORMS)
def test_records_of_several_lines_are_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
