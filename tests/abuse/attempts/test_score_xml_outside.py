"""Labels are in an XML file outside its elements: in comments, in its text and after elements.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Write, beside, steal, text_of

FORMS: dict[str, Write] = {
    "comments": lambda folder, rows: write_text(
        folder, "<root><a>1</a>" + "".join(f"<!-- {row} {label} -->" for row, label in rows.pairs) + "</root>"
    ),
    "text": lambda folder, rows: write_text(folder, f"<root>{rows.lines(' ')}</root>"),
    "behind elements": lambda folder, rows: write_text(
        folder, "<root>" + "".join(f"<r id='{row}'/>{label}" for row, label in rows.pairs) + "</root>"
    ),
}


def write_text(folder: Path, text: str) -> None:
    (folder / "extra.xml").write_text(text)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return beside(text_of(folder, "extra.xml"), ids)


@pytest.mark.parametrize("name", FORMS)
def test_text_outside_of_elements_is_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
