"""A text lists the ids of each class under a heading.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Write, steal, text_of, under

FORMS: dict[str, Write] = {
    "one line for each class": lambda folder, rows: write_text(
        folder, "".join(f"{name}: {' '.join(ids)}\n" for name, ids in rows.by_class().items())
    ),
    "wrapped": lambda folder, rows: write_text(
        folder,
        "".join(
            f"== {name} ==\n" + "".join(row + ("\n" if n % 7 == 6 else ", ") for n, row in enumerate(ids)) + "\n"
            for name, ids in rows.by_class().items()
        ),
    ),
    "YAML": lambda folder, rows: write_text(
        folder, "".join(f"{name}:\n" + "".join(f"  - {row}\n" for row in ids) for name, ids in rows.by_class().items())
    ),
    "XML": lambda folder, rows: write_text(
        folder,
        f"<all>{''.join(f'<{kind}>{chr(32).join(ids)}</{kind}>' for kind, ids in rows.by_class().items())}</all>",
    ),
}


def write_text(folder: Path, text: str) -> None:
    (folder / "classes.txt").write_text(text)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    return under(text_of(folder, "classes.txt"), ids)


@pytest.mark.parametrize("name", FORMS)
def test_lists_under_headings_are_read(tmp_path: Path, name: str) -> None:
    outcome = steal(tmp_path, FORMS[name], read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
