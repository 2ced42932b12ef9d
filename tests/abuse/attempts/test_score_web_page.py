"""Labels are in a table of a web page that has no line ends.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, beside, steal, text_of


def write(folder: Path, rows: Rows) -> None:
    cells = "".join(f"<tr><td>{row}</td><td>{label}</td></tr>" for row, label in rows.pairs)
    (folder / "page.html").write_text(f"<!doctype html><html><body><br><table>{cells}</table></html>")


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "page.html"), ids)


def test_a_table_of_a_page_is_read(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
