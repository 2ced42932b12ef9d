"""A table without records has ids and labels as the names of its columns.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, beside, steal, text_of


def write(folder: Path, rows: Rows) -> None:
    (folder / "wide.csv").write_text(rows.lines("_").replace("\n", ",") + "\n")


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "wide.csv"), ids)


def test_names_of_columns_are_read(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
